"""Several runs in one invocation: what they share, how they are compared, and what a change of the table reruns."""

import shutil

import pandas as pd
import pytest

from acefit.artifacts import read_frame
from acefit.files import read_yaml
from workflow_runs import planned, run, write_config, write_dataset

pytestmark = pytest.mark.e2e

PLAIN = {"ladder_step": None, "fit_cycles": 1, "restarts": None, "noise_relative_sigma": None, "maxiter": 4}
SWEEP = {"fit.loss.kappa": [0.1, 0.6], "potential.functions.ALL.nradmax_by_orders": [[3, 1], [4, 2]]}
NAMES = [f"kappa-{kappa}_nradmax_by_orders-{shape}" for kappa in (0.1, 0.6) for shape in ("3-1", "4-2")]
COMPARISON = "results/tiny/compare/summary.html"
OWN = ("basis", "fit", "select", "potential", "predict", "report")


@pytest.fixture(scope="module")
def swept(finished, tmp_path_factory):
    """Folder of a finished sweep of four runs, which found the dataset and the weights of the single run; its answer."""
    folder = tmp_path_factory.mktemp("swept")
    shutil.copytree(finished / "results/shared", folder / "results/shared")
    shutil.copy2(finished / "copper.xyz", folder)
    answer = run(folder, write_config(folder, {"fit": PLAIN, "sweep": SWEEP}), COMPARISON)
    assert answer.code == 0, answer.text
    return folder, answer


def test_sweep__shares_dataset_neighbour_lists_split_and_weights(swept):
    _, answer = swept
    assert not set(answer.jobs) & {"dataset", "neighborlists", "split", "weights"}
    assert answer.jobs["basis"] == 4


def test_sweep__fits_each_run_with_its_own_values(swept):
    folder, _ = swept
    sizes = [read_yaml(folder / "results/tiny" / name / "predict/cost.yaml")["n_functions"] for name in NAMES]
    assert sizes[0] == sizes[2] < sizes[1] == sizes[3]
    potentials = {(folder / "results/tiny" / name / "potential.yaml").read_bytes() for name in NAMES}
    assert len(potentials) == 4


@pytest.mark.long
def test_sweep__one_of_its_runs_is_the_single_run_with_these_values(swept, tmp_path):
    folder, _ = swept
    write_dataset(tmp_path / "copper.xyz")
    changes = {"fit": {**PLAIN, "loss": {"kappa": 0.6}}, "potential": {"functions": {"ALL": {"nradmax_by_orders": [4, 2]}}}}
    answer = run(tmp_path, write_config(tmp_path, changes), "results/tiny/potential.yaml")
    assert answer.code == 0, answer.text
    alone = (tmp_path / "results/tiny/potential.yaml").read_bytes()
    assert alone == (folder / "results/tiny" / NAMES[-1] / "potential.yaml").read_bytes()


def test_comparison__has_errors_and_cost_of_every_run(swept):
    folder, _ = swept
    table = read_frame(folder / "results/tiny/compare/runs.parquet", "runs")
    assert sorted(table["run"]) == NAMES
    assert (table["microseconds_per_atom"] > 0).all()
    assert table[["rmse_epa_test", "rmse_f_comp_test"]].notna().all(axis=None)
    best = table.loc[table["rmse_f_comp_test"].idxmin()]
    assert best["optimal_force_time"]
    assert best["optimal_force_functions"]
    for_people = pd.read_csv(folder / "results/tiny/compare/runs.csv")
    assert list(for_people.columns[1:3]) == list(SWEEP)
    assert (folder / "results/tiny/compare/pareto.png").stat().st_size > 10_000


def test_sweep__one_more_value_runs_only_what_is_new(swept, tmp_path):
    folder, _ = swept
    assert planned(folder, write_config(tmp_path, {"fit": PLAIN, "sweep": SWEEP}), COMPARISON).jobs == {}
    longer = {**SWEEP, "fit.loss.kappa": [0.1, 0.6, 0.9]}
    jobs = planned(folder, write_config(tmp_path, {"fit": PLAIN, "sweep": longer}), COMPARISON).jobs
    assert jobs == {"basis": 2, "potential": 2, "predict": 2, "compare": 1}


@pytest.mark.long
def test_runs__share_weights_of_equal_settings_only(finished, tmp_path):
    runs = {
        "first": {"fit.loss.kappa": 0.1},
        "second": {"fit.maxiter": 3},
        "third": {"fit.weighting.DElow": 0.5},
        "fourth": {"fit.weighting.DElow": 0.5, "fit.maxiter": 3},
        "fifth": {"potential.bonds.ALL.rcut": 4.2},
    }
    write_dataset(tmp_path / "copper.xyz")
    answer = planned(tmp_path, write_config(tmp_path, {"runs": runs}))
    shared = {"dataset": 1, "split": 1, "weights": 2, "neighborlists": 4, "compare": 1}
    assert {name: answer.jobs.get(name) for name in shared} == shared
    assert {name: answer.jobs.get(name) for name in OWN if name in answer.jobs} == {
        "basis": 5,
        "potential": 5,
        "predict": 5,
        "report": 5,
    }


def test_wrong_key_of_a_run__is_one_message_with_line_and_suggestion(tmp_path):
    write_dataset(tmp_path / "copper.xyz", n_structures=2)
    answer = run(tmp_path, write_config(tmp_path, {"runs": {"small": {"fit.maxitre": 3}}}), "--dry-run")
    assert answer.code == 1
    assert "runs.small.fit.maxitre: unknown key; did you mean 'maxiter'?" in answer.text
    assert "Traceback" not in answer.text
