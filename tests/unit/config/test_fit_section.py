from dataclasses import asdict
from typing import get_args

import pytest
from pydantic import ValidationError

from acefit.config.fit_section import (
    OPTIMIZER_OPTIONS,
    EnergyBasedWeightingPolicy,
    ExternalWeightingPolicy,
    FitSection,
    OptimizerName,
)
from acefit.data.energy_based import EnergyBasedPolicy
from acefit.fit.optimizers import OPTIONS


def test_options__are_those_of_the_optimisers():
    assert set(get_args(OptimizerName)) == set(OPTIMIZER_OPTIONS)
    assert {name: set(options) for name, options in OPTIONS.items()} == {name: set(o) for name, o in OPTIMIZER_OPTIONS.items()}


def test_energy_based_weighting__has_the_parameters_and_defaults_of_the_policy():
    policy = EnergyBasedWeightingPolicy(type="EnergyBasedWeightingPolicy").model_dump(exclude={"type", "cutoff"})
    assert policy == asdict(EnergyBasedPolicy())


@pytest.mark.parametrize(("given", "read"), [(10, 10), (10.0, 10), (0.1, 0.1), ("5", 5), ([10, "0.02"], [10, 0.02])])
def test_ladder_step__keeps_numbers_and_shares_apart(given, read):
    step = FitSection(ladder_step=given).ladder_step
    assert step == read
    assert type(step) is type(read)


@pytest.mark.parametrize("bad", [0, -1, 1.5, "x", [], [0], True])
def test_ladder_step__refuses_the_rest(bad):
    with pytest.raises(ValidationError, match="ladder_step"):
        FitSection(ladder_step=bad)


@pytest.mark.parametrize("policy", ["EnergyBasedWeightingPolicy", "UniformWeightingPolicy", "ExternalWeightingPolicy"])
def test_weighting__is_chosen_by_type(policy):
    assert type(FitSection.model_validate({"weighting": {"type": policy}}).weighting).__name__ == policy


def test_external_weighting__takes_either_name_of_the_file():
    files = [
        ExternalWeightingPolicy.model_validate({"type": "ExternalWeightingPolicy", key: "w"}).file
        for key in ("filename", "filename_or_df")
    ]
    assert files == ["w", "w"]
    assert ExternalWeightingPolicy(type="ExternalWeightingPolicy").file == ""


def test_options__keep_booleans():
    assert FitSection.model_validate({"options": {"disp": True, "gtol": "1e-7"}}).options == {"disp": True, "gtol": 1e-7}
