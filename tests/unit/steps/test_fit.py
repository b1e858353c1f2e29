"""The step `fit` on files."""

import numpy as np
import pytest

from acefit.artifacts import read_frame
from acefit.basis.expansion import build_target
from acefit.basis.ladder import empty_basis
from acefit.data.structures import StructureSet
from acefit.errors import ArtifactError, FitError
from acefit.files import read_yaml
from acefit.potential.bbasis import read_potential, write_configuration
from acefit.potential.parameters import parameter_vector
from acefit.steps.fit import fit
from bases import section, shape
from pipeline_files import SUBSETS, emt_frames, outputs, write_inputs, write_weights

SECTION = {"maxiter": 6, "display_step": 4, "loss": {"kappa": "auto", "L2_coeffs": 1e-8}}


def run(inputs, folder, section=None, previous=(), **changes):
    arguments = {"fit": {**SECTION, **(section or {})}, "seed": 1, "step": 0, "cycle": len(previous), "code": "x", **changes}
    fit(**inputs, **arguments, paths_to_previous=previous, **outputs(folder))
    return read_yaml(folder / "result.yaml")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    inputs = write_inputs(folder)
    return inputs, folder / "cycle-00", run(inputs, folder / "cycle-00")


def test_fit__writes_potential_metrics_and_result(fitted):
    _, folder, result = fitted
    metrics = read_frame(folder / "metrics.parquet", "metrics")
    train = metrics[metrics["subset"] == "train"]
    assert list(train["iter_num"]) == list(range(7))
    assert list(metrics[metrics["subset"] == "test"]["iter_num"]) == [0, 4, 6]
    assert train["loss"].min() == result["loss"] < train["loss"].iloc[0]
    assert (result["step"], result["cycle"], result["iterations"], result["reason"]) == (0, 0, 6, "maxiter reached")
    assert result["n_trainable"] == result["n_parameters"] == len(parameter_vector(read_potential(folder / "potential.yaml")))
    assert set(result["metrics"]) == {"train", "test"}
    assert read_potential(folder / "potential.yaml").metadata["_loss"] == repr(result["loss"])
    assert (folder / "running" / "metrics.txt").exists()
    kappa = train["f_loss_contrib"] / train["f_loss"]
    np.testing.assert_allclose(kappa, 0.25, rtol=1e-12)


def test_fit__adam_steps_along_minibatches(fitted, tmp_path):
    inputs, _, _ = fitted
    section = {"optimizer": "Adam", "options": {"batch_size": 2.0, "learning_rate": 0.02}}
    result = run(inputs, tmp_path, section)
    metrics = read_frame(tmp_path / "metrics.parquet", "metrics")
    train = metrics[metrics["subset"] == "train"]
    assert list(train["iter_num"]) == list(range(7))
    assert result["loss"] < train["loss"].iloc[0]
    assert (result["iterations"], result["evaluations"]) == (6, 7)


def test_fit__later_cycle_continues_from_the_best_earlier_one(fitted, tmp_path):
    inputs, folder, result = fitted
    worse = tmp_path / "worse"
    assert run(inputs, worse, {"maxiter": 1})["loss"] > result["loss"]
    later = run(inputs, tmp_path / "later", previous=[worse / "result.yaml", folder / "result.yaml"])
    assert later["cycle"] == 2
    metrics = read_frame(tmp_path / "later" / "metrics.parquet", "metrics")
    assert metrics["loss"].iloc[0] == pytest.approx(result["loss"], rel=1e-12)
    assert later["loss"] < result["loss"]


def test_fit__later_cycle_may_be_perturbed(fitted, tmp_path):
    inputs, folder, _ = fitted
    section = {"randomize_func_coeffs": 0.1, "maxiter": 0}
    run(inputs, tmp_path, section, previous=[folder / "result.yaml"])
    before, after = (read_potential(path / "potential.yaml") for path in (folder, tmp_path))
    np.testing.assert_array_equal(after.bonds["Cu", "Cu"].crad, before.bonds["Cu", "Cu"].crad)
    assert not np.array_equal(parameter_vector(after), parameter_vector(before))


def test_fit__goes_without_a_test_set(tmp_path):
    inputs = write_inputs(tmp_path)
    subsets = tuple("train" if subset == "test" else subset for subset in SUBSETS)
    write_weights(tmp_path, StructureSet.from_ase(emt_frames()), subsets)
    result = run(inputs, tmp_path / "out", {"maxiter": 1})
    assert set(result["metrics"]) == {"train"}
    assert set(read_frame(tmp_path / "out" / "metrics.parquet", "metrics")["subset"]) == {"train"}


def test_fit__inputs_must_belong_together(tmp_path):
    inputs = write_inputs(tmp_path)
    structures = StructureSet.from_ase(emt_frames())
    write_weights(tmp_path, structures.select([0, 1, 2]), SUBSETS[:3])
    with pytest.raises(ArtifactError, match=r"does not belong to .*structures\.parquet; run the weights stage again"):
        run(inputs, tmp_path / "out")
    write_weights(tmp_path, structures, ("test",) * structures.n_structures)
    with pytest.raises(ArtifactError, match="has no training structure"):
        run(inputs, tmp_path / "out")


def test_fit__neighbour_lists_must_reach_the_cutoff(tmp_path):
    inputs = write_inputs(tmp_path, cutoff=4.0)
    with pytest.raises(ArtifactError, match=r"reach to 4\.0 Å but the potential needs 5\.0 Å"):
        run(inputs, tmp_path / "out")


def test_fit__memory_limit_is_in_megabytes(tmp_path):
    inputs = write_inputs(tmp_path)
    with pytest.raises(FitError, match="would need about"):
        run(inputs, tmp_path / "out", max_memory=1e-3)


def test_fit__warns_of_elements_without_atoms(fitted, tmp_path, caplog):
    inputs, _, _ = fitted
    target = build_target(section("Cu Ni", {"ALL": shape([3, 1], [0, 1])}))
    write_configuration(target, tmp_path / "step-00.yaml")
    write_configuration(empty_basis(target), tmp_path / "start.yaml")
    paths = {"path_to_step": tmp_path / "step-00.yaml", "path_to_start": tmp_path / "start.yaml"}
    run(inputs | paths, tmp_path / "out", {"maxiter": 1})
    assert "no atom of the training set is Ni: nothing determines what belongs to it" in caplog.text
