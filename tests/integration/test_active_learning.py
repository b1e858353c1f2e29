"""Rounds of active learning: what runs, and that the potential learns what it does not know."""

import shutil

import pytest

from acefit.artifacts import read_frame
from acefit.files import read_yaml
from silicon_oracle import write_silicon
from workflow_runs import planned, run, write_config

pytestmark = pytest.mark.e2e
TINY = {
    "fit": {"maxiter": 2},
    "potential": {"functions": {"ALL": {"nradmax_by_orders": [3, 1], "lmax_by_orders": [0, 1]}}},
    "active": {"rounds": 2, "explore": {"steps": 4, "interval": 2, "collect_above": 0.01, "stop_above": 1e9}},
}
LABELS = "results/silicon/round-00/label/structures.parquet"
TRIGGERS = ("code", "input", "mtime", "params", "software-env")


def write(folder, changes=None):
    write_silicon(folder)
    return write_config(folder, changes, "active.yaml", "silicon.yaml")


def test_rounds__are_planned_at_once(tmp_path):
    jobs = planned(tmp_path, write(tmp_path)).jobs
    own = {name: jobs[name] for name in ("activeset", "explore", "choose", "calculate", "label", "potential", "compare")}
    assert own == {"activeset": 3, "explore": 6, "choose": 3, "calculate": 3, "label": 3, "potential": 4, "compare": 1}


def kept_results(folder):
    """Kept results of the first round with their dates."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "results/silicon/round-00/calculate/results").glob("*.json")}


def largest_gamma(folder, number):
    tables = sorted((folder / f"results/silicon/round-{number:02d}/explore").glob("walk-*/gamma.parquet"))
    assert len(tables) == 2
    return max(read_frame(table, "exploration")["gamma"].max() for table in tables)


@pytest.mark.long
def test_rounds__label_what_is_new_and_the_largest_gamma_falls(tmp_path):
    config = write(tmp_path)
    answer = run(tmp_path, config)
    assert answer.code == 0, answer.text
    results = tmp_path / "results/silicon"
    largest = [largest_gamma(tmp_path, number) for number in range(3)]
    assert largest[0] > 2 * largest[2]
    assert largest[0] > largest[1] > largest[2]
    n_structures = [read_frame(results / f"round-{k:02d}/label/structures.parquet", "structures").shape[0] for k in range(3)]
    assert n_structures[0] == 8
    summary = read_yaml(results / "round-02/active/summary.yaml")
    assert summary["elements"][0]["environments"] == 8 * (12 + sum(n_structures[:2]))
    assert (results / "compare/summary.html").is_file()
    assert planned(tmp_path, config).jobs == {}


@pytest.mark.long
def test_most__reruns_choice_label_and_later_rounds(tmp_path):
    target = "results/silicon/round-02/potential.yaml"
    done = run(tmp_path, write(tmp_path, TINY), target)
    assert done.code == 0, done.text
    changed = write_config(tmp_path, {**TINY, "active": {**TINY["active"], "most": 3}}, "active.yaml", "silicon.yaml")
    jobs = planned(tmp_path, changed, target).jobs
    assert jobs["choose"] == jobs["calculate"] == jobs["label"] == jobs["dataset"] == 2
    assert jobs["explore"] == 2
    assert jobs["potential"] == 2


@pytest.mark.long
def test_label__an_interrupted_job_takes_what_is_there(tmp_path):
    config = write(tmp_path, TINY)
    assert run(tmp_path, config, LABELS).code == 0
    first, kept = (tmp_path / LABELS).read_bytes(), kept_results(tmp_path)
    (tmp_path / LABELS).unlink()
    shutil.rmtree(tmp_path / "results/silicon/round-00/calculate/job-00-of-01")
    again = run(tmp_path, config, LABELS)
    assert again.jobs == {"calculate": 1, "label": 1}, again.text
    assert (tmp_path / LABELS).read_bytes() == first
    assert kept_results(tmp_path) == kept


@pytest.mark.long
def test_label__is_the_same_of_jobs_side_by_side(tmp_path):
    active = TINY["active"] | {"label": {"jobs": 3}}
    assert run(tmp_path, write(tmp_path, TINY), LABELS).code == 0
    first, kept = (tmp_path / LABELS).read_bytes(), kept_results(tmp_path)
    config = write(tmp_path, TINY | {"active": active})
    # What is labelled need not be gathered again in order to go on with another number of jobs
    triggers = [word for word in TRIGGERS if word != "input"]
    assert planned(tmp_path, config, LABELS, "--rerun-triggers", *triggers).jobs == {}
    assert planned(tmp_path, config, LABELS).jobs == {"calculate": 3, "label": 1}
    shutil.rmtree(tmp_path / "results/silicon/round-00/calculate")
    assert run(tmp_path, config, LABELS).code == 0
    assert (tmp_path / LABELS).read_bytes() == first
    assert set(kept_results(tmp_path)) == set(kept)


@pytest.mark.long
def test_label__an_edit_of_the_calculators_module_labels_again(tmp_path):
    config = write(tmp_path, TINY)
    assert run(tmp_path, config, LABELS).code == 0
    first = read_frame(tmp_path / LABELS, "structures")["energy"]
    assert planned(tmp_path, config, LABELS).jobs == {}
    module = tmp_path / "oracle.py"
    module.write_text(module.read_text().replace("A=1830.8", "A=1900.0"))
    assert planned(tmp_path, config, LABELS).jobs == {"calculate": 1, "label": 1}
    assert run(tmp_path, config, LABELS).code == 0
    second = read_frame(tmp_path / LABELS, "structures")["energy"]
    assert len(first) == len(second)
    assert (second > first + 1).all()
    assert planned(tmp_path, config, LABELS).jobs == {}
