from collections import Counter

import numpy as np
import pytest

from acefit.basis.expansion import BlockShape, block_functions, build_target, modern_section
from acefit.errors import ConfigError, PotentialError
from acefit.potential.parameters import parameter_layout
from acefit.potential.shapes import shape_of
from bases import BONDS, EMBEDDINGS, section, shape

ELEMENTS = ("Al", "Cu", "Ni", "Zn")


# Counts per order of one block and the reference's sum
@pytest.mark.parametrize(
    ("n_elements", "n", "l", "counts"),
    [
        (1, [15], [0], {1: 15}),
        (1, [8, 4], [0, 3], {1: 8, 2: 40}),
        (1, [8, 4, 2], [0, 3, 2], {1: 8, 2: 40, 3: 26}),
        (1, [15, 3, 2, 2, 1], [0, 2, 2, 1, 1], {1: 15, 2: 18, 3: 26, 4: 20, 5: 3}),
        (1, [15, 6, 4, 3, 2, 2], [0, 3, 3, 2, 2, 1], {1: 15, 2: 84, 3: 304, 4: 300, 5: 192, 6: 50}),
        (1, [10, 5, 4, 3, 2, 2], [0, 6, 5, 4, 3, 2], {1: 10, 2: 105, 3: 860, 4: 2454, 5: 894, 6: 489}),
        (2, [15, 2, 2, 2], [0, 2, 2, 1], {1: 15, 2: 21, 3: 134, 4: 170}),
        (2, [5, 2, 1], [0, 2, 1], {1: 5, 2: 21, 3: 8}),
        (2, [15, 6, 3, 2, 2, 1], [0, 3, 2, 1, 1, 0], {1: 15, 2: 228, 3: 416, 4: 170, 5: 446, 6: 6}),
        (3, [15, 3, 3, 2, 1], [0, 2, 2, 1, 1], {2: 27, 3: 639, 4: 438, 5: 87}),
        (3, [4, 2, 1], [0, 1, 1], {2: 8, 3: 10}),
        (4, [4, 2, 1], [0, 1, 1], {3: 4}),
    ],
)
def test_block_functions__has_the_known_numbers(n_elements, n, l, counts):
    functions = list(block_functions(ELEMENTS[:n_elements], BlockShape(tuple(n), tuple(l), "zero"), reference_caps=True))
    assert Counter(len(ns) for _, ns, _, _ in functions) == counts
    assert len(set(functions)) == len(functions)


def test_block_functions__of_order_six_take_three_labels_without_caps():
    wide = BlockShape((1, 1, 1, 1, 1, 3), (0, 0, 0, 0, 0, 1), "zero")
    functions = list(block_functions(("Al",), wide))
    assert any(len(set(ns)) == 3 for _, ns, _, _ in functions)
    with pytest.raises(ConfigError, match="the reference offers no functions of order 6"):
        list(block_functions(("Al",), wide, reference_caps=True))


def test_block_functions__beyond_the_reference_limit_on_l():
    tall = BlockShape((1, 1, 1), (0, 0, 8), "zero")
    assert max(ls for _, _, ls, _ in block_functions(("Al",), tall)) == (8, 8, 8)
    assert max(ls for _, _, ls, _ in block_functions(("Al",), tall, reference_caps=True)) == (6, 6, 6)


def sizes(potential):
    layout = parameter_layout(potential)
    return layout.n_functions, layout.n_parameters, layout.n_radial


LARGE = {
    "UNARY": shape([15, 6, 4, 3, 2, 2], [0, 3, 3, 2, 2, 1]),
    "BINARY": shape([15, 6, 3, 2, 2, 1], [0, 3, 2, 1, 1, 0]),
    "TERNARY": shape([15, 3, 3, 2, 1], [0, 2, 2, 1, 1]),
}


@pytest.mark.parametrize(
    ("elements", "functions", "expected"),
    [
        (
            "Ni Al",
            {"UNARY": shape([15, 3, 2, 2, 1], [0, 2, 2, 1, 1]), "BINARY": shape([15, 2, 2, 2], [0, 2, 2, 1])},
            (844, 2048, 360),
        ),
        ("Al Cu Ni", LARGE, (14094, 30348, 2160)),
        ("Al Cu Ni", {**LARGE, "number_of_functions_per_element": 100}, (300, 1131, 531)),
        ("Al Cu Ni Zn", {"ALL": shape([4, 2, 1], [0, 1, 1])}, (592, 1344, 160)),
    ],
)
def test_build_target__has_the_known_totals(elements, functions, expected):
    assert sizes(build_target(section(elements, functions))) == expected


@pytest.mark.parametrize(
    ("n", "l", "expected"),
    [([15], [0], (0, 0, 15)), ([8, 4], [0, 3], (4, 3, 8)), ([15, 3, 2, 2, 1], [0, 2, 2, 1, 1], (3, 2, 15))],
)
def test_build_target__sizes_the_bond_by_the_order_lists(n, l, expected):
    assert shape_of(build_target(section("Cu", {"ALL": shape(n, l)})).bonds["Cu", "Cu"]) == expected


def test_build_target__starts_with_radial_functions_equal_to_base_functions():
    crad = build_target(section("Cu", {"ALL": shape([3, 2], [0, 1])})).bonds["Cu", "Cu"].crad
    np.testing.assert_array_equal(crad, [[[1, 0, 0], [1, 0, 0]], [[0, 1, 0], [0, 1, 0]]])


def test_build_target__limits_every_block_by_power():
    potential = build_target(section("Al Cu Ni", {**LARGE, "number_of_functions_per_element": 100}))
    counts = {block.elements: dict(Counter(f.order for f in block.functions)) for block in potential.blocks}
    assert counts["Al",] == {1: 7, 2: 14, 3: 4}
    assert counts["Al", "Ni"] == {1: 6, 2: 16, 3: 3}
    assert counts["Cu", "Al", "Ni"] == {2: 15, 3: 10}


def test_build_target__limits_every_element_exactly_on_request():
    limits = {"number_of_functions_per_element": 100, "number_of_functions_mode": "element"}
    potential = build_target(section("Al Cu Ni", {**LARGE, **limits}))
    assert Counter(f.elements[0] for f in potential.functions()) == {"Al": 100, "Cu": 100, "Ni": 100}


def test_build_target__draws_random_coefficients_before_the_selection():
    functions = {"ALL": shape([3, 1], [0, 1], coefs_init="random")}
    full = build_target(section("Al Ni", functions), seed=7)
    drawn = np.random.RandomState(7).randn(full.n_functions * 2) * 1e-4
    np.testing.assert_array_equal(np.ravel([f.coeffs for f in full.functions()]), drawn)
    limited = build_target(section("Al Ni", {**functions, "number_of_functions_per_element": 4}), seed=7)
    values = {f.identity: f.coeffs for f in full.functions()}
    assert all(f.coeffs == values[f.identity] for f in limited.functions())


def test_build_target__keeps_blocks_in_the_order_of_their_keywords():
    potential = build_target(section("Ni Al", {"AlNi": shape([1], [0]), "UNARY": shape([2], [0]), "NiAl": shape([1], [0])}))
    assert [block.elements for block in potential.blocks] == [("Al",), ("Ni",), ("Al", "Ni"), ("Ni", "Al")]


def test_build_target__takes_a_binary_block_in_one_direction_only():
    potential = build_target(section("Al Ni", {"UNARY": shape([2], [0]), "AlNi": shape([3, 2], [0, 1])}))
    assert shape_of(potential.bonds["Al", "Ni"]) == (2, 1, 3)
    assert {f.elements[0] for f in potential.functions() if len(set(f.elements)) == 2} == {"Al"}


def test_build_target__takes_a_ternary_block_without_binary_ones():
    potential = build_target(section("Al Cu Ni", {"UNARY": shape([2], [0]), "TERNARY": shape([4, 2], [0, 1])}))
    assert shape_of(potential.bonds["Cu", "Ni"]) == (2, 1, 4)


def test_build_target__keeps_the_bond_of_a_pair_without_functions():
    bonds = {"ALL": {**BONDS["ALL"], "core-repulsion": [10, 2]}}
    potential = build_target(section("Al Ni", {"UNARY": shape([2], [0])}, bonds=bonds))
    assert potential.bonds["Al", "Ni"].core_repulsion == (10.0, 2.0)
    assert shape_of(potential.bonds["Al", "Ni"]) == (0, 0, 0)


def test_build_target__takes_settings_of_a_bond():
    bonds = {
        **BONDS,
        "CuCu": {"r_in": 2.0, "delta_in": 0.2, "nradbase": 6, "nradmax": 4, "lmax": 3, "NameOfCutoffFunction": None},
    }
    bond = build_target(section("Cu", {"ALL": shape([4, 2], [0, 1])}, bonds=bonds)).bonds["Cu", "Cu"]
    assert shape_of(bond) == (4, 3, 6)
    assert (bond.rcut_in, bond.dcut_in, bond.inner_cutoff_type, bond.cutoff_function) == (2.0, 0.2, "distance", "cos")


def test_build_target__reads_nobelium_as_an_element():
    assert build_target(section("Cu", {"ALL": shape([1], [0])}, elements=[False])).elements == ("No",)


OLD = {
    **{"element": "Cu", "npot": "FinnisSinclair", "fs_parameters": [1, 1], "ndensity": 1, "rcut": 5, "dcut": 0.1},
    **{"radbase": "ChebPow", "radparameters": [2], "nradmax": [4, 2], "lmax": [0, 1], "func_coefs_init": "random"},
    **{"r_in": 1.5, "delta_in": 0.1, "rho_core_cut": 3, "deltaSplineBins": 0.002, "number_of_functions_per_element": 5},
}


def test_modern_section__rewrites_the_old_form_and_keeps_the_inner_cutoff():
    modern = modern_section(OLD)
    assert modern["elements"] == ["Cu"]
    assert modern["functions"] == {"Cu": shape([4, 2], [0, 1], coefs_init="random"), "number_of_functions_per_element": 5}
    potential = build_target(OLD)
    assert potential.n_functions == 5
    assert potential.delta_spline_bins == 0.002
    assert potential.bonds["Cu", "Cu"].rcut_in == 1.5
    assert potential.embeddings["Cu"].rho_core_cut == 3.0


def test_build_target__says_that_orders_are_left_out(caplog):
    build_target(section("Cu", {"ALL": shape([4, 2, 1], [0, 1])}))
    assert "orders above 2 are left out" in caplog.text


FUNCTIONS = {"ALL": shape([2, 1], [0, 1])}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"elements": []}, "give the list of elements"),
        ({"elements": ["Cu", "Cu"]}, "an element occurs twice"),
        ({"elements": [3]}, "3 is not an element symbol"),
        ({"cutoff": 5}, "unknown key 'cutoff'"),
        ({"embeddings": {}}, "npot is missing; give it for Cu or for ALL"),
        ({"embeddings": {"ALL": {**EMBEDDINGS["ALL"], "fs_parameters": [1, 1]}}}, "ndensity 2 needs 4 fs_parameters .* got 2"),
        ({"embeddings": {"ALL": {**EMBEDDINGS["ALL"], "density": 2}}}, "unknown key 'density'; did you mean ndensity"),
        ({"bonds": {}}, "nothing is given for the pair Cu-Cu"),
        ({"bonds": {"ALL": {"rcut": 5}}}, "radparameters is missing"),
        ({"bonds": {"ALL": {"radparameters": [1]}}}, "rcut is missing"),
        ({"bonds": {"ALL": {**BONDS["ALL"], "nradbase": 1}}}, "nradbase is 1, but the functions need 2"),
        ({"bonds": {"ALL": {**BONDS["ALL"], "core-repulsion": [1]}}}, "core-repulsion must be \\[prefactor, lambda\\]"),
        ({"functions": {}}, "no functions are asked for"),
        ({"functions": {"ALL": {"lmax_by_orders": [0]}}}, "nradmax_by_orders is missing"),
        ({"functions": {"ALL": shape([1], [0], coefs_init="ones")}}, "coefs_init must be zero or random"),
        ({"functions": {"ALL": shape([1] * 7, [0] * 7)}}, "7 orders are asked for; at most 6"),
        ({"functions": {**FUNCTIONS, "number_of_functions_per_element": 0}}, "expected an integer of at least 1"),
        (
            {"functions": {**FUNCTIONS, "number_of_functions_mode": "block"}},
            "has no meaning without number_of_functions_per_element",
        ),
        (
            {"functions": {**FUNCTIONS, "number_of_functions_per_element": 2, "number_of_functions_mode": "all"}},
            "must be block or element",
        ),
        ({"deltaSplineBins": 0}, "deltaSplineBins must be positive"),
    ],
)
def test_build_target__explains_what_is_wrong(changes, message):
    with pytest.raises(ConfigError, match=message):
        build_target(section("Cu", FUNCTIONS, **changes))


def test_build_target__explains_a_limit_that_leaves_nothing():
    with pytest.raises(ConfigError, match="1 is too small for 4 blocks; at least 2 are needed"):
        build_target(section("Al Ni", {**FUNCTIONS, "number_of_functions_per_element": 1}))


@pytest.mark.parametrize(
    ("bond", "message"),
    [
        ({"radbase": "Bessel"}, "unknown radial basis 'Bessel'"),
        ({"rcut": 0}, "the outer cutoff must be positive"),
        ({"inner_cutoff_type": "hard"}, "unknown inner_cutoff_type 'hard'"),
    ],
)
def test_build_target__checks_the_result(bond, message):
    with pytest.raises(PotentialError, match=message):
        build_target(section("Cu", FUNCTIONS, bonds={"ALL": {**BONDS["ALL"], **bond}}))


def test_modern_section__explains_a_scalar():
    with pytest.raises(ConfigError, match=r"potential.nradmax: expected a list by order, got 5"):
        modern_section({**OLD, "nradmax": 5})


def test_build_target__stops_at_an_absurd_number_of_functions(monkeypatch):
    monkeypatch.setattr("acefit.basis.expansion.MAX_FUNCTIONS", 100)
    with pytest.raises(ConfigError, match="more than 100 functions"):
        build_target(section("Cu", {"ALL": shape([100] * 5, [5] * 5)}))
