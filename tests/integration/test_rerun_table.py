"""Each line of the rerun table of docs/workflow.md, asked with dry runs on a finished tiny run."""

import os
import shutil

import pytest

from workflow_runs import ROOT, planned, run, write_config, write_dataset

pytestmark = pytest.mark.e2e

# What Snakemake can see while the basis, a checkpoint, is still to be made
AFTER_BASIS = {"potential": 1, "export": 1, "predict": 1, "report": 1}
LADDER = "results/tiny/basis/ladder.yaml"
AFTER_FIT = {"fit": 4, "select": 2, "potential": 1, "export": 1, "predict": 1, "report": 1}


def table_lines():
    """First column of the table in the documentation."""
    text = (ROOT / "docs" / "workflow.md").read_text().split("## What a change reruns")[1].split("\n\n")[2]
    return [line.split("|")[1].strip() for line in text.splitlines()[2:]]


def dry(finished, tmp_path, changes=None, **keywords):
    return planned(finished, write_config(tmp_path, changes), **keywords)


@pytest.fixture
def own_copy(finished, tmp_path):
    """The finished run in a folder that the test may change; dates are kept."""
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    return folder


def test_nothing_changed__nothing_runs(finished, tmp_path):
    assert dry(finished, tmp_path).jobs == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": {"kappa": 0.4}},
        {"loss": {"L1_coeffs": 2e-8, "L2_coeffs": 1e-8}},  # the same values, exchanged
        {"optimizer": "L-BFGS-B", "maxiter": 7},
    ],
    ids=["kappa", "exchanged", "optimizer"],
)
def test_fit_settings__rerun_fit_and_after(finished, tmp_path, changes):
    assert dry(finished, tmp_path, {"fit": changes}).jobs == AFTER_FIT


def test_export__reruns_alone(finished, tmp_path):
    assert dry(finished, tmp_path, {"export": {"e0": "references"}}).jobs == {"export": 1}


def test_weighting__reruns_weights_fit_and_after(finished, tmp_path):
    assert dry(finished, tmp_path, {"fit": {"weighting": {"DElow": 0.5}}}).jobs == {"weights": 1, **AFTER_FIT}


@pytest.mark.parametrize(("key", "value"), [("nradmax_by_orders", [5, 1]), ("lmax_by_orders", [0, 2])], ids=["nradmax", "lmax"])
def test_basis_size__reruns_basis_fit_and_after(own_copy, tmp_path, key, value):
    config = write_config(tmp_path, {"potential": {"functions": {"ALL": {key: value}}}})
    assert planned(own_copy, config).jobs == {"basis": 1, **AFTER_BASIS}
    assert run(own_copy, config, LADDER).jobs == {"basis": 1}
    assert set(planned(own_copy, config).jobs) == set(AFTER_FIT)


def test_largest_rcut__reruns_basis_neighborlists_fit_and_after(own_copy, tmp_path):
    config = write_config(tmp_path, {"potential": {"bonds": {"ALL": {"rcut": 4.2}}}})
    assert planned(own_copy, config).jobs == {"basis": 1, "neighborlists": 2, **AFTER_BASIS}
    assert run(own_copy, config, LADDER).jobs == {"basis": 1}
    assert planned(own_copy, config).jobs == {"neighborlists": 2, **AFTER_FIT}


def test_fit_cycles__run_only_the_new_ones_of_the_first_step(finished, tmp_path):
    answer = dry(finished, tmp_path, {"fit": {"fit_cycles": 4}})
    # Step 0 keeps its two; step 1 starts from what step 0 selects anew, so its four follow
    assert answer.jobs == {**AFTER_FIT, "fit": 6}
    assert answer.fits == [(0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3)]


def test_fit_cycles__chain_of_one_step(own_copy, tmp_path):
    """Without a ladder exactly the two new cycles run, also where each starts from the best before."""
    fit = {"ladder_step": None, "restarts": "chain", "maxiter": 1}
    done = run(own_copy, write_config(tmp_path, {"name": "chain", "fit": fit}), "results/chain/select/step-00/potential.yaml")
    assert done.code == 0, done.text
    answer = planned(own_copy, write_config(tmp_path, {"name": "chain", "fit": {**fit, "fit_cycles": 4}}))
    assert answer.jobs == {"fit": 2, "select": 1, "potential": 1, "export": 1, "predict": 1, "report": 1}
    assert answer.fits == [(0, 2), (0, 3)]


def test_ladder__one_more_step_leaves_earlier_ones_alone(own_copy, tmp_path):
    longer = {"nradmax_by_orders": [4, 1, 1], "lmax_by_orders": [0, 1, 0]}
    config = write_config(tmp_path, {"potential": {"functions": {"ALL": longer}}})
    assert run(own_copy, config, LADDER).jobs == {"basis": 1}
    answer = planned(own_copy, config)
    assert answer.jobs == {"fit": 2, "select": 1, "potential": 1, "export": 1, "predict": 1, "report": 1}
    assert answer.fits == [(2, 0), (2, 1)]


def test_basis_built_again_with_the_same_content__leaves_fits_alone(own_copy, tmp_path):
    config = write_config(tmp_path)
    assert run(own_copy, config, "--force", LADDER).jobs == {"basis": 1}
    assert "fit" not in planned(own_copy, config).jobs


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("analysis/figures_errors.py", {"report": 1}),
        ("kernels/radial.py", AFTER_FIT),
        ("data/split.py", {"split": 1, "weights": 1, **AFTER_FIT}),
    ],
    ids=["plotting", "kernel", "split"],
)
def test_code__reruns_what_uses_it(finished, tmp_path, file, expected):
    source = tmp_path / "src"
    shutil.copytree(ROOT / "src" / "acefit", source / "acefit", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {"PYTHONPATH": os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")])}
    assert dry(finished, tmp_path, environment=environment).jobs == {}
    with (source / "acefit" / file).open("a") as stream:
        stream.write("\n_EDITED = True\n")
    assert dry(finished, tmp_path, environment=environment).jobs == expected


def test_cores_log_level_and_profile__rerun_nothing(finished, tmp_path):
    assert dry(finished, tmp_path, cores=1, environment={"ACEFIT_LOG_LEVEL": "DEBUG"}).jobs == {}
    assert planned(finished, write_config(tmp_path), "--workflow-profile", "none").jobs == {}


def test_dataset_content__reruns_all_but_the_basis(own_copy, tmp_path):
    write_dataset(own_copy / "copper.xyz", n_structures=12)
    jobs = planned(own_copy, write_config(tmp_path)).jobs
    assert jobs == {"dataset": 1, "neighborlists": 2, "split": 1, "weights": 1, **AFTER_FIT}


def test_dataset_touched__reruns_nothing(own_copy, tmp_path):
    """Snakemake compares the content of small files whose date changed."""
    (own_copy / "copper.xyz").touch()
    assert planned(own_copy, write_config(tmp_path)).jobs == {}


def test_table__has_a_test_for_every_line():
    # the line of active learning is checked in test_active_learning.py
    assert len(table_lines()) == 14
