import re

import pytest

from acefit.config.loading import validate_config
from acefit.config.model import Config
from acefit.config.relations import has_test_set, relation_problems


def notices(fit=None, data=None, backend=None, potential="a.yaml"):
    parts = {"potential": potential, "data": {"filename": "a", **(data or {})}, "fit": fit or {}, "backend": backend or {}}
    return list(validate_config(parts).notices)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"backend": {"evaluator": "tensorpot"}}, "backend: accepted without effect: evaluator (there is one evaluator)"),
        ({"backend": {"gpu_config": {"gpu_ind": 0}}}, "backend: accepted without effect: gpu_config (fits run on CPUs)"),
        (
            {"backend": {"n_workers": 2, "batch_size": 10}},
            "batch_size (the set is evaluated at once; Adam: fit.options.batch_size), n_workers (Snakemake's",
        ),
        ({"data": {"seed": 3}}, "data: accepted without effect: seed (the split is drawn with the top-level seed)"),
        (
            {"fit": {"weighting": {"type": "EnergyBasedWeightingPolicy", "cutoff": 5}}},
            "fit.weighting: accepted without effect: cutoff",
        ),
        ({"fit": {"options": {"disp": True}}}, "fit.options: disp accepted without effect"),
        ({"fit": {"noise_relative_sigma": 0.1}}, "fit.noise_relative_sigma: has no effect with fit_cycles: 1"),
        (
            {"fit": {"noise_relative_sigma": 0.1, "noise_absolute_sigma": 0.1, "fit_cycles": 2}},
            "fit.noise_relative_sigma: is used; noise_absolute_sigma without effect beside it",
        ),
        ({"fit": {"min_relative_test_loss_per_iter": 1e-3}}, "min_relative_test_loss_per_iter: has no effect without a test set"),
        ({"data": {"stratify": True}}, "data.stratify: has no effect without test_size"),
        ({"data": {"reference_energy": -3.0}}, "data.reference_energy: -3 eV is subtracted for every atom"),
        (
            {"potential": {"filename": "a", "overwrite_blocks_from_initial_bbasis": True}},
            "has no effect without initial_potential",
        ),
    ],
)
def test_notices__say_what_has_no_effect(parts, words):
    (notice,) = notices(**parts)
    assert words in notice


def test_notices__are_absent_where_nothing_is_to_be_said():
    assert notices(data={"test_size": 0.1, "stratify": True}, fit={"min_relative_test_loss_per_iter": 1e-3}) == []


def test_relation_problems__are_empty_for_a_sound_configuration():
    assert relation_problems(Config.model_validate({"potential": "a", "data": "b"})) == []


@pytest.mark.parametrize(("key", "value"), [("test_size", 0.1), ("test_filename", "b")])
def test_has_test_set__knows_both_ways(key, value):
    assert has_test_set(Config.model_validate({"potential": "a", "data": {"filename": "a", key: value}}))
    assert not has_test_set(Config.model_validate({"potential": "a", "data": "a"}))


def test_reference_energy__names_what_is_valid():
    with pytest.raises(
        ValueError, match=r"is 'VASP_PBE'; valid: .*isolated, or a CSV file \(pacemaker's tables are not included\)"
    ):
        notices(data={"reference_energy": "VASP_PBE"})
    assert notices(data={"reference_energy": "atoms.csv"}) == []


@pytest.mark.parametrize(
    ("spec", "is_said"),
    [
        ("NiAl", True),
        (["UNARY", "Ni-Al"], True),
        ({"NiAl": "radial", "AlNi": "func"}, False),
        ({"NiAl": ["func"]}, False),
        ({"NiAl": ["func", "radial"]}, True),
        (["AlNi", "NiAl"], False),
        (["ALL", "NiAl"], False),
        ("BINARY", False),
    ],
)
def test_notices__say_where_radial_functions_of_a_pair_belong(spec, is_said):
    words = "fit.trainable_parameters: .* trains functions only; the radial functions of the pair belong to AlNi"
    assert [bool(re.match(words, notice)) for notice in notices({"trainable_parameters": spec})] == [True] * is_said


DEFINITION = {
    "elements": ["Cu"],
    "embeddings": {"ALL": {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": [1, 1], "ndensity": 1}},
    "bonds": {"ALL": {"radbase": "SBessel", "radparameters": [5], "rcut": 5, "dcut": 0.01}},
    "functions": {"ALL": {"nradmax_by_orders": [2], "lmax_by_orders": [0]}},
}


@pytest.mark.parametrize(
    ("potential", "reference", "is_wrong"),
    [(DEFINITION, None, True), (DEFINITION, "auto", False), ("a.yaml", None, False)],
    ids=["absent", "given", "in the file"],
)
def test_relation_problems__export_needs_references_before_anything_runs(potential, reference, is_wrong):
    data = {"filename": "a.xyz", **({"reference_energy": reference} if reference else {})}
    config = Config.model_validate({"potential": potential, "data": data, "export": {"e0": "references"}})
    paths = [problem.path for problem in relation_problems(config)]
    assert (("export", "e0") in paths) == is_wrong
