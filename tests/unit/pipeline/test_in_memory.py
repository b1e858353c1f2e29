import copy
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.io import read

from acefit.calculator import ACECalculator
from acefit.errors import ConfigError, DataError
from acefit.pipeline.in_memory import evaluate_potential, fit_in_memory, named_figure
from acefit.potential.bbasis import format_potential


def without_data(tiny_fit):
    config = copy.deepcopy(tiny_fit.config)
    config["data"].pop("filename")
    return config


def test_fit_in_memory__atoms_and_mapping_give_bitwise_the_fit_of_the_files(tiny_fit):
    frames = read(tiny_fit.folder / "copper.xyz", ":")
    result = fit_in_memory(without_data(tiny_fit), frames)
    assert result.loss == tiny_fit.result.loss
    assert format_potential(result.potential) == format_potential(tiny_fit.result.potential)
    ours, theirs = result.predictions.structures, tiny_fit.result.predictions.structures
    assert np.array_equal(ours["energy_predicted"], theirs["energy_predicted"])


def test_fit_in_memory__result_has_errors_and_figures(tiny_fit):
    result = tiny_fit.result
    assert list(result.errors["subset"]) == ["train", "train", "test", "test"]
    assert result.figure("ladder").axes
    with pytest.raises(ConfigError, match="did you mean 'ladder'"):
        result.figure("laddr")
    with pytest.raises(ConfigError, match="would be empty: no benchmark files"):
        result.figure("timing-stages")
    with pytest.raises(ConfigError, match="there is no figure"):
        named_figure(result._data, "")


def test_fit_in_memory__makes_one_run(tiny_fit):
    with pytest.raises(ConfigError, match="runs and sweep are for the pipeline"):
        fit_in_memory({**without_data(tiny_fit), "sweep": {"fit.maxiter": [1, 2]}}, tiny_fit.folder / "copper.xyz")


def test_fit_in_memory__leaves_folders_of_the_pipeline_alone(tmp_path, tiny_fit):
    (tmp_path / ".snakemake").mkdir()
    with pytest.raises(ConfigError, match="holds results of the pipeline"):
        fit_in_memory(without_data(tiny_fit), tiny_fit.folder / "copper.xyz", folder=tmp_path)


def test_fit_in_memory__wrong_keys_are_named(tiny_fit):
    config = without_data(tiny_fit)
    config["fit"]["kapa"] = 1
    with pytest.raises(ConfigError, match=r"fit\.kapa: unknown key"):
        fit_in_memory(config, tiny_fit.folder / "copper.xyz")


def test_evaluate_potential__is_what_the_calculator_gives(tiny_fit):
    frames = read(tiny_fit.folder / "copper.xyz", ":3")
    found = evaluate_potential(tiny_fit.result.potential, frames)
    calculator = ACECalculator(tiny_fit.result.potential)
    energies = [calculator.get_potential_energy(atoms) for atoms in frames]
    assert found.structures["energy_predicted"].to_numpy() == pytest.approx(energies, rel=1e-12)
    # references of the fit are subtracted from the labels
    same = tiny_fit.result.predictions.structures["energy"][:3].to_numpy()
    assert found.structures["energy"].to_numpy() == pytest.approx(same, rel=1e-12)
    assert set(found.structures["subset"]) == {"test"}


def test_evaluate_potential__energies_as_they_are_without_references(tiny_fit):
    atoms = read(tiny_fit.folder / "copper.xyz", 0)
    bare = tiny_fit.result.potential.with_metadata()
    object.__setattr__(bare, "metadata", {})
    found = evaluate_potential(bare, atoms)
    assert found.structures["energy"][0] == atoms.get_potential_energy()


def test_evaluate_potential__live_calculators_are_labels_too(tiny_fit):
    atoms = read(tiny_fit.folder / "copper.xyz", 0)
    label = evaluate_potential(tiny_fit.result.potential, atoms)
    atoms.calc = EMT()
    atoms.get_forces()
    assert evaluate_potential(tiny_fit.result.potential, atoms).force == pytest.approx(label.force, abs=1e-7)


def test_evaluate_potential__other_elements_are_an_error(tiny_fit):
    with pytest.raises(DataError, match="not among the elements"):
        evaluate_potential(tiny_fit.result.potential, Atoms("Au", info={"energy": 1.0}))


def test_evaluate_potential__total_energies_with_e0(tiny_fit):
    atoms = read(tiny_fit.folder / "copper.xyz", 0)
    potential = replace(tiny_fit.result.potential, metadata={}).with_e0({"Cu": -3.0})
    atoms.calc = ACECalculator(potential)
    atoms.get_forces()
    found = evaluate_potential(potential, atoms)
    assert found.structures["energy"][0] == pytest.approx(found.structures["energy_predicted"][0], abs=1e-9)
