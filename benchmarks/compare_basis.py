"""Compare bases and ladders of acefit with those of pacemaker, run as a black box, function by function.

    python benchmarks/compare_basis.py --peers DIR [--only NAME ...] [--table docs-table.md]

DIR is an environment with pacemaker (see `peer`). Every case is an input of both programs. Without a ladder pacemaker runs with
`--no-fit` and its `target_potential.yaml` is compared; with one it makes one iteration per step, and the file of every step is
compared.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from acefit.basis.ladder import build_plan
from acefit.potential.bbasis import read_potential, write_potential
from acefit.potential.combine import resolve_potential
from acefit.potential.model import Potential
from acefit.potential.parameters import parameter_layout
from peer import argument_parser, run_pacemaker, write_frames

EMBEDDINGS = {"ALL": {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": [1, 1, 1, 0.5], "ndensity": 2}}
BONDS = {"ALL": {"radbase": "SBessel", "radparameters": [5.25], "rcut": 5, "dcut": 0.01, "NameOfCutoffFunction": "cos"}}


class Case(NamedTuple):
    """One input: a potential section, possibly a ladder, possibly one-element potentials to start from."""

    name: str
    what: str
    potential: dict[str, Any]
    ladder: dict[str, Any] | None = None
    initial: tuple[str, ...] = ()


def section(elements: str, functions: dict[str, Any], **others: Any) -> dict[str, Any]:
    """A `potential:` section with the usual embeddings and bonds."""
    common = {"deltaSplineBins": 0.001, "elements": elements.split(), "embeddings": EMBEDDINGS, "bonds": BONDS}
    return {**common, "functions": functions, **others}


def shape(n: list[int], l: list[int], random: bool = False) -> dict[str, Any]:
    """Function settings of a block."""
    return {"nradmax_by_orders": n, "lmax_by_orders": l, **({"coefs_init": "random"} if random else {})}


OLD_FORM = {
    "element": "Cu",
    "npot": "FinnisSinclairShiftedScaled",
    "fs_parameters": [1, 1, 1, 0.5],
    "ndensity": 2,
    "nradmax": [8, 4, 3],
    "lmax": [0, 3, 2],
    "rcut": 6,
    "dcut": 0.01,
    "radbase": "ChebExpCos",
    "radparameters": [5.25],
    "core-repulsion": [100, 5],
    "NameOfCutoffFunction": "cos",
    "func_coefs_init": "random",
}
TERNARY = {
    "UNARY": shape([6, 4, 3, 1], [0, 3, 2, 1], random=True),
    "BINARY": shape([5, 3, 2], [0, 2, 1]),
    "TERNARY": shape([4, 2, 1], [0, 1, 1], random=True),
}
CASES = (
    Case("unary", "orders 1 to 5, random coefficients", section("Cu", {"UNARY": shape([15, 5, 4, 3, 1], [0, 4, 3, 2, 1], True)})),
    Case("unary-order-6", "order 6 with two labels", section("Cu", {"ALL": shape([10, 4, 3, 2, 2, 2], [0, 4, 3, 3, 2, 2])})),
    Case("unary-caps", "l at the limits of the table", section("Cu", {"ALL": shape([4, 2, 1, 1, 1, 1], [0, 10, 6, 4, 3, 2])})),
    Case(
        "unary-limit",
        "50 functions",
        section("Cu", {"number_of_functions_per_element": 50, "ALL": shape([15, 6, 4, 3], [0, 4, 3, 2], True)}),
    ),
    Case("single-element-form", "old form", OLD_FORM),
    Case("binary", "ALL, random coefficients", section("Al Ni", {"ALL": shape([6, 3, 2, 1], [0, 3, 2, 1], True)})),
    Case(
        "binary-limit",
        "40 functions per element",
        section(
            "Al Ni",
            {
                "number_of_functions_per_element": 40,
                "UNARY": shape([15, 6, 4], [0, 3, 2]),
                "BINARY": shape([8, 3, 2], [0, 2, 1], True),
            },
        ),
    ),
    Case(
        "binary-mixed",
        "keywords and blocks, one and two densities, different bonds",
        section(
            "Ni Al",
            {
                "ALL": shape([5, 2], [0, 1]),
                "UNARY": {"nradmax_by_orders": [7, 3, 2]},
                "Ni": {"lmax_by_orders": [0, 2, 2]},
                "AlNi": shape([5, 3, 2], [0, 2, 1]),
            },
            embeddings={**EMBEDDINGS, "Al": {"ndensity": 1, "fs_parameters": [1, 1], "npot": "FinnisSinclair"}},
            bonds={**BONDS, "NiAl": {"rcut": 4.5, "radbase": "ChebPow", "radparameters": [2]}, "UNARY": {"rcut": 5.5}},
        ),
    ),
    Case(
        "binary-bond-sizes",
        "nradbase, nradmax, lmax of bonds",
        section(
            "Al Ni", {"ALL": shape([4, 2, 1], [0, 2, 1])}, bonds={"ALL": {**BONDS["ALL"], "nradbase": 6, "nradmax": 4, "lmax": 3}}
        ),
    ),
    Case(
        "binary-large-mixed",
        "larger binary than unary shapes",
        section("Al Ni", {"UNARY": shape([3, 1], [0, 1]), "BINARY": shape([6, 4, 2], [0, 3, 2])}),
    ),
    Case("ternary", "UNARY, BINARY, TERNARY", section("Ni Al Cu", TERNARY)),
    Case("ternary-limit", "30 functions per element", section("Ni Al Cu", {"number_of_functions_per_element": 30, **TERNARY})),
    Case("quaternary", "ALL", section("Al Cu Ni Zn", {"ALL": shape([4, 2, 1], [0, 1, 1])})),
    Case(
        "upfit",
        "two one-element potentials, BINARY added",
        section("Al Ni", {"BINARY": shape([4, 3, 1], [0, 2, 1])}),
        initial=("Al", "Ni"),
    ),
    Case(
        "ladder-unary",
        "power order, [10, 0.3]",
        section("Cu", {"ALL": shape([8, 4, 2], [0, 3, 2])}),
        {"ladder_step": [10, 0.3], "ladder_type": "power_order"},
    ),
    Case(
        "ladder-binary",
        "body order, 15 per block",
        section("Al Ni", {"ALL": shape([5, 2, 1], [0, 2, 1])}),
        {"ladder_step": 15, "ladder_type": "body_order"},
    ),
    Case(
        "ladder-ternary-limit",
        "limit and ladder",
        section("Al Cu Ni", {"number_of_functions_per_element": 30, **TERNARY}),
        {"ladder_step": [5, 0.2], "ladder_type": "power_order"},
    ),
    Case(
        "ladder-upfit",
        "one-element potentials, BINARY added in steps",
        section("Al Ni", {"BINARY": shape([4, 3, 1], [0, 2, 1])}),
        {"ladder_step": 12, "ladder_type": "power_order"},
        ("Al", "Ni"),
    ),
)


def invent_structures(elements: list[str]) -> list[Atoms]:
    """Three structures of four atoms with all elements, as a fit without meaning needs them."""
    symbols = (elements * 4)[:4]
    corners = np.array([[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0], [0, 0, 2.5]])
    structures = []
    for shift in (0.0, 0.1, 0.2):
        atoms = Atoms(symbols, positions=corners * (1 + shift), cell=[12, 12, 12], pbc=True)
        atoms.info |= {"dft_energy": shift - 1.0, "name": f"scaled-{shift}"}
        atoms.arrays["dft_forces"] = np.zeros((4, 3))
        structures.append(atoms)
    return structures


def run_peer(case: Case, peers: Path, folder: Path) -> None:
    """Run pacemaker on a case; the files it writes are left in the folder."""
    elements = [case.potential["element"]] if "element" in case.potential else case.potential["elements"]
    write_frames({folder / "data.pckl.gzip": invent_structures(elements)}, peers)
    potential = dict(case.potential)
    for element in case.initial:
        alone = section(
            element, {"UNARY": shape([5, 2, 2], [0, 2, 1])}, bonds={"ALL": {**BONDS["ALL"], "core-repulsion": [10, 2]}}
        )
        write_potential(resolve_potential(alone)[0], folder / f"{element}.yaml")
    if case.initial:
        potential["initial_potential"] = [f"{element}.yaml" for element in case.initial]
    fit = {"loss": {"kappa": 0.3}, "optimizer": "BFGS", "maxiter": 1, **(case.ladder or {})}
    content = {
        "cutoff": 6.0,
        "seed": 42,
        "potential": potential,
        "data": {"filename": "data.pckl.gzip"},
        "fit": fit,
        "backend": {"evaluator": "tensorpot", "batch_size": 10, "display_step": 50},
    }
    run_pacemaker(content, folder, peers, *([] if case.ladder else ["--no-fit"]))


def differences(ours: Potential, theirs: Potential, with_order: bool, with_values: bool) -> list[str]:
    """What differs: functions, their order, their coefficients, shapes of bonds."""
    found = []

    def functions(potential: Potential) -> list[Any]:
        if with_order:
            return [f for block in potential.blocks for f in block.functions]
        return parameter_layout(potential).functions()

    mine, other = functions(ours), functions(theirs)
    if [f.identity for f in mine] != [f.identity for f in other]:
        common = {f.identity for f in mine} & {f.identity for f in other}
        found.append(f"functions: {len(mine)} and {len(other)}, {len(common)} in common")
    elif with_values and [f.coeffs for f in mine] != [f.coeffs for f in other]:
        found.append("initial coefficients")
    for pair, bond in ours.bonds.items():
        known = theirs.bonds.get(pair)
        if known is None or bond.crad.shape != known.crad.shape:
            found.append(f"shape of {'-'.join(pair)}: {bond.crad.shape} and {known and known.crad.shape}")
        elif with_values and not np.array_equal(bond.crad, known.crad):
            found.append(f"radial coefficients of {'-'.join(pair)}")
    return found


def compare(case: Case, peers: Path) -> tuple[Potential, int, list[str]]:
    """Largest basis of acefit, number of potentials compared, and all differences."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_peer(case, peers, folder)
        names = [str(folder / f"{element}.yaml") for element in case.initial]
        target, initial = resolve_potential({**case.potential, "initial_potential": names}, 42)
        if case.ladder is None:
            return target, 1, differences(target, read_potential(folder / "target_potential.yaml"), True, True)
        plan = build_plan(target, initial, **case.ladder)
        files = list(folder.glob("interim_potential_ladder_step_*.yaml"))
        files.sort(key=lambda path: int(path.stem.rsplit("_", 1)[1]))
        found = [] if len(files) == len(plan.steps) else [f"ladder steps: {len(plan.steps)} and {len(files)}"]
        for step, file in zip(plan.steps, files, strict=False):
            theirs = read_potential(file)
            found += [f"step {step.number}: {text}" for text in differences(step.potential, theirs, False, False)]
        return target, len(files), found


def main() -> int:
    """Run all cases and print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--only", nargs="*", help="names of the cases to run")
    parser.add_argument("--table", type=Path, help="write the table to this file as well")
    arguments = parser.parse_args()
    lines = [
        "| case | what | elements | functions | parameters | potentials compared | differences |",
        "|---|---|---|---|---|---|---|",
    ]
    n_different = 0
    for case in CASES:
        if arguments.only and case.name not in arguments.only:
            continue
        target, n_files, found = compare(case, arguments.peers)
        n_different += bool(found)
        layout = parameter_layout(target)
        sizes = f"{len(target.elements)} | {layout.n_functions} | {layout.n_parameters} | {n_files}"
        lines.append(f"| {case.name} | {case.what} | {sizes} | {'; '.join(found) or 'none'} |")
        print(lines[-1], flush=True)
    if arguments.table:
        arguments.table.write_text("\n".join(lines) + "\n")
    return min(n_different, 1)


if __name__ == "__main__":
    sys.exit(main())
