"""Inputs of the comparison of losses: one to four elements, all kinds of radial functions, embeddings and weights."""

from typing import Any, NamedTuple


class Case(NamedTuple):
    """One comparison.

    Attributes
    ----------
    potential : `potential:` section the random potential is built from
    loss : `loss:` settings under pacemaker's names
    weighting : policy, uniform without it
    reason : why the trainer differs, empty where it must not
    """

    name: str
    what: str
    potential: dict[str, Any]
    loss: dict[str, Any]
    weighting: dict[str, Any] | None = None
    reason: str = ""


def section(elements: str, functions: dict[str, Any], bonds: dict[str, Any] | None = None, **embeddings: Any) -> dict[str, Any]:
    """A `potential:` section; what is not given is usual."""
    return {
        "deltaSplineBins": 0.001,
        "elements": elements.split(),
        "embeddings": {"ALL": shifted(1, 1, 1, 0.5), **embeddings},
        "bonds": {**bond("ALL"), **(bonds or {})},
        "functions": functions,
    }


def bond(key: str, radbase: str = "SBessel", rcut: float = 5.0, **others: Any) -> dict[str, Any]:
    """Settings of the bonds that a key stands for."""
    parameters = {"SBessel": 5.25, "ChebPow": 2.0, "ChebExpCos": 5.25}[radbase]
    common = {"radbase": radbase, "radparameters": [parameters], "rcut": rcut, "dcut": 0.01, "NameOfCutoffFunction": "cos"}
    return {key: {**common, **others}}


def shifted(*parameters: float) -> dict[str, Any]:
    """FinnisSinclairShiftedScaled with any number of densities."""
    return {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": list(parameters), "ndensity": len(parameters) // 2}


def finnis_sinclair(*parameters: float) -> dict[str, Any]:
    """FinnisSinclair with any number of densities."""
    return {**shifted(*parameters), "npot": "FinnisSinclair"}


def shape(n: list[int], l: list[int]) -> dict[str, Any]:
    """Function settings of a block."""
    return {"nradmax_by_orders": n, "lmax_by_orders": l}


def energy_based(**others: Any) -> dict[str, Any]:
    """Policy whose limits leave out some of the invented structures."""
    return {"type": "EnergyBasedWeightingPolicy", "DElow": 0.5, "DEup": 1.5, "wlow": 0.7, "seed": 5, **others}


SMALL = {"UNARY": shape([6, 3, 2], [0, 3, 2])}
TERNARY = {
    "UNARY": shape([5, 3, 2, 1], [0, 3, 2, 1]),
    "BINARY": shape([4, 2, 1], [0, 2, 1]),
    "TERNARY": shape([3, 2, 1], [0, 1, 1]),
}
SMOOTH = {"w0_rad": 2e-3, "w1_rad": 1e-3, "w2_rad": 5e-4}
CASES = (
    Case(
        "unary",
        "SBessel, orders 1 to 5, two densities",
        section("Cu", {"UNARY": shape([8, 4, 3, 2, 1], [0, 4, 3, 2, 1])}),
        {"kappa": 0.3, "L1_coeffs": 1e-4, "L2_coeffs": 1e-4},
    ),
    Case(
        "unary-order-6",
        "order 6, FinnisSinclair with m = 1, L1",
        section("Cu", {"ALL": shape([6, 3, 2, 2, 1, 1], [0, 3, 2, 1, 1, 1])}, ALL=finnis_sinclair(1, 1, 0.5, 1)),
        {"kappa": 0.5, "L1_coeffs": 1e-3},
    ),
    Case(
        "unary-chebpow",
        "ChebPow, three densities with m = 1, 0.5, 2",
        section("Ni", SMALL, bond("ALL", "ChebPow", 5.5), ALL=shifted(1, 1, 1, 0.5, 0.3, 2)),
        {"kappa": 0.08, "L2_coeffs": 1e-3, **SMOOTH},
        energy_based(),
    ),
    Case(
        "unary-chebexpcos",
        "ChebExpCos, no neighbour in the window, one density, energies only",
        section("Al", SMALL, bond("ALL", "ChebExpCos", 5.2, dcut=1e-6), ALL=shifted(1, 0.75)),
        {"kappa": 0.0, **SMOOTH},
    ),
    Case(
        "binary",
        "ALL, forces only, kappa 1",
        section("Al Ni", {"ALL": shape([5, 3, 2, 1], [0, 3, 2, 1])}),
        {"kappa": 1.0},
    ),
    Case(
        "binary-cutoffs",
        "a cutoff for every bond, kappa auto, energy-based",
        section(
            "Al Ni",
            {"ALL": shape([5, 3, 2], [0, 2, 1])},
            {**bond("Al", rcut=5.6), **bond("Ni", rcut=4.4), **bond("AlNi", rcut=5.1)},
        ),
        {"kappa": "auto", "L1_coeffs": 1e-4, "L2_coeffs": 1e-4, **SMOOTH},
        energy_based(),
    ),
    Case(
        "binary-mixed",
        "keywords and blocks, three radial bases, one and two densities, two embeddings",
        section(
            "Ni Al",
            {
                "ALL": shape([5, 2], [0, 1]),
                "UNARY": {"nradmax_by_orders": [7, 3, 2]},
                "Ni": {"lmax_by_orders": [0, 2, 2]},
                "AlNi": shape([5, 3, 2], [0, 2, 1]),
            },
            {**bond("AlNi", "ChebPow", 4.5), **bond("Al", "ChebExpCos", 5.5, dcut=1e-6)},
            Al=finnis_sinclair(1, 1),
        ),
        {"kappa": 0.3, "L1_coeffs": 1e-4, "w1_rad": 1e-3},
    ),
    Case(
        "binary-limit",
        "40 functions per element, w2 alone",
        section("Al Cu", {"number_of_functions_per_element": 40, "ALL": shape([8, 4, 3], [0, 3, 2])}),
        {"kappa": 0.2, "w2_rad": 1e-3},
        energy_based(energy="cohesive"),
    ),
    Case(
        "ternary",
        "UNARY, BINARY, TERNARY, three radial bases and cutoffs",
        section("Ni Al Cu", TERNARY, {**bond("BINARY", "ChebPow", 4.6), **bond("CuNi", "ChebExpCos", 5.4, dcut=1e-6)}),
        {"kappa": 0.3, "L1_coeffs": 1e-5, "L2_coeffs": 1e-5, **SMOOTH},
        energy_based(),
    ),
    Case(
        "ternary-limit",
        "30 functions per element, w0 alone, three densities",
        section("Ni Al Cu", {"number_of_functions_per_element": 30, **TERNARY}, ALL=shifted(1, 1, 1, 0.5, -0.2, 0.3)),
        {"kappa": 0.7, "w0_rad": 1e-2},
        energy_based(energy="cohesive", nfit=10),
    ),
    Case(
        "quaternary",
        "ALL",
        section("Al Cu Ni Zn", {"ALL": shape([4, 2, 1], [0, 1, 1])}),
        {"kappa": 0.9, "L1_coeffs": 1e-5, "L2_coeffs": 1e-5},
    ),
    Case(
        "quaternary-blocks",
        "keywords, blocks and limit, cutoffs of blocks",
        section(
            "Al Cu Ni Zn",
            {
                "number_of_functions_per_element": 60,
                "ALL": shape([4, 2], [0, 2]),
                "TERNARY": shape([2, 2, 1], [0, 1, 1]),
                "AlZn": shape([6, 3, 2], [0, 3, 1]),
            },
            {**bond("Zn", rcut=5.9), **bond("AlCu", "ChebPow", 4.2)},
        ),
        {"kappa": 0.3, **SMOOTH},
        energy_based(DEup=1.2, DFup=3.0),
    ),
    Case("w_orth", "orthogonality term", section("Al Ni", {"ALL": shape([5, 3, 2], [0, 2, 1])}), {"kappa": 0.3, "w_orth": 1e-2}),
    Case(
        "window",
        "ChebExpCos with neighbours in a window of 0.8 Å",
        section("Cu", SMALL, bond("ALL", "ChebExpCos", 5.2, dcut=0.8)),
        {"kappa": 0.3, "w1_rad": 1e-3},
        None,
        "no outer window in the trainer",
    ),
    Case(
        "narrow-window",
        "ChebExpCos with neighbours in a window of 0.01 Å",
        section("Al Ni", {"ALL": shape([5, 3, 2], [0, 2, 1])}, bond("ALL", "ChebExpCos", 5.2)),
        {"kappa": 0.3},
        None,
        "no outer window in the trainer",
    ),
    Case(
        "power",
        "FinnisSinclair with m = 0.5, energies only",
        section("Al Ni", {"ALL": shape([5, 3, 2], [0, 2, 1])}, ALL=finnis_sinclair(1, 1, 1, 0.5)),
        {"kappa": 0.0, "L2_coeffs": 1e-4},
        None,
        "smoother power below densities of 1.7 in the trainer",
    ),
    Case(
        "core",
        "core repulsion without inner cutoff",
        section("Cu", SMALL, bond("ALL", **{"core-repulsion": [50.0, 1.0], "inner_cutoff_type": "density"})),
        {"kappa": 0.3},
        None,
        "the trainer switches the core off beyond r_in = 0",
    ),
    Case(
        "inner-window",
        "neighbours in the inner window, mode `density`",
        section("Cu", SMALL, bond("ALL", r_in=2.4, delta_in=0.5, inner_cutoff_type="density")),
        {"kappa": 0.3},
        None,
        "the trainer switches radial functions off within r_in in every mode",
    ),
)
