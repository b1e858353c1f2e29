import copy

import pytest

from acefit.config.loading import validate_config

BASE = {
    "cutoff": 6,
    "potential": {
        "elements": ["Al", "Ni"],
        "embeddings": {"ALL": {"npot": "FinnisSinclair", "fs_parameters": [1, 1], "ndensity": 1}},
        "bonds": {"ALL": {"radbase": "SBessel", "radparameters": [5.25], "rcut": 6, "dcut": 0.01}},
        "functions": {"ALL": {"nradmax_by_orders": [2], "lmax_by_orders": [0]}},
    },
    "data": {"filename": "a.xyz"},
}


def changed(section, entry, **keys):
    data = copy.deepcopy(BASE)
    data["potential"][section].setdefault(entry, {}).update(keys)
    return data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({**BASE, "cutoff": 7}, "cutoff: 7 is not used; neighbours are taken up to the largest rcut of the bonds, 6"),
        (changed("bonds", "ALL", radbase="ChebLinear"), "potential.bonds.ALL: ChebLinear does not vanish at the cutoff"),
        (changed("bonds", "ALL", inner_cutoff_type="density", r_in=1.0), "the radial functions end abruptly"),
        (changed("functions", "TERNARY", nradmax_by_orders=[1], lmax_by_orders=[0]), "TERNARY: has no effect with 2 element(s)"),
        (changed("functions", "ALL", lmax_by_orders=[0, 1]), "differ in length; 1 orders are used"),
        (
            {**changed("bonds", "ALL", **{"core-repulsion": [1, 1]}), "fit": {"repulsion": "auto"}},
            "its core repulsion is replaced after the fit",
        ),
        ({**BASE, "data": {"filename": "a", "reference_energy": {"Al": -1}}}, "data.reference_energy: 0 is used for Ni"),
    ],
)
def test_notices__tell_what_is_worth_knowing(data, words):
    assert [words in notice for notice in validate_config(data).notices] == [True]


def test_notices__mention_that_the_old_form_keeps_inner_cutoffs():
    old = {"element": "Cu", "npot": "FinnisSinclair", "fs_parameters": [1, 1], "ndensity": 1, "rcut": 5, "radparameters": [5.25]}
    old |= {"nradmax_by_orders": [2], "lmax_by_orders": [0], "r_in": 1, "delta_in": 0.1}
    (notice,) = validate_config({"potential": old, "data": "a"}).notices
    assert "are used in the single-element form; pacemaker drops them there" in notice


def test_initial_potential__may_leave_out_what_it_brings():
    data = {"potential": {"elements": ["Al", "Ni"], "initial_potential": ["Al.yaml", "Ni.yaml"]}, "data": "a.xyz"}
    assert validate_config(data).basis.bonds == {}


@pytest.mark.parametrize("key", ["Al", "AlNi", "NiAl", "Al-Ni", "UNARY", "BINARY"])
def test_bond_keys__may_be_written_in_any_of_these_ways(key):
    validate_config(changed("bonds", key, rcut=5.0))


@pytest.mark.parametrize(("key", "known"), [("AlAl", True), ("AlNi", True), ("AlNiNi", False), ("QUINARY", True)])
def test_function_keys__name_blocks(key, known):
    data = changed("functions", key, nradmax_by_orders=[1])
    if known:
        validate_config(data)
    else:
        with pytest.raises(ValueError, match="each symbol once"):
            validate_config(data)


def test_zbl__is_limited_to_known_elements():
    data = changed("bonds", "ALL", inner_cutoff_type="zbl", r_in=1, delta_in=0.1)
    data["potential"]["elements"] = ["Rf"]
    with pytest.raises(ValueError, match="zbl is defined for H to Lr, not for Rf"):
        validate_config(data)


def test_problems__of_one_entry_are_reported_once():
    with pytest.raises(ValueError, match=r"^1 problem"):
        validate_config(changed("bonds", "ALL", r_in=9.0))


@pytest.mark.parametrize(
    ("names", "absent"),
    [
        (["UNARY", "AlNi"], ["AlNi gives functions of Al alone; for the other element(s) as centre give NiAl"]),
        (["UNARY", "Ni-Al"], ["NiAl gives functions of Ni alone; for the other element(s) as centre give AlNi"]),
        (["UNARY", "AlNi", "NiAl"], []),
        (["BINARY", "AlNi"], []),
        (["ALL", "AlNi"], []),
        (["UNARY", "AlAl"], []),
        (["UNARY", "AlNiCu"], ["AlCuNi gives functions of Al alone; for the other element(s) as centre give CuAlNi, NiAlCu"]),
    ],
)
def test_notices__name_the_centres_that_a_block_leaves_out(names, absent):
    data = copy.deepcopy(BASE)
    data["potential"]["elements"] = ["Al", "Cu", "Ni"]
    data["potential"]["functions"] = {name: {"nradmax_by_orders": [2], "lmax_by_orders": [0]} for name in names}
    assert list(validate_config(data).notices) == [f"potential.functions: {text}" for text in absent]
