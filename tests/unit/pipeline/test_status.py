import fcntl
import math
import os
import shutil

import pytest

from acefit.fit.metrics import TEXT_COLUMNS, text_header, text_row
from acefit.pipeline.configuration import load_configuration
from acefit.pipeline.folders import FIT
from acefit.pipeline.staleness import Planned
from acefit.pipeline.status import is_locked, look_at, read_last_row
from silicon_oracle import write_silicon
from workflow_runs import write_config


@pytest.fixture
def run(tiny_fit, tmp_path, monkeypatch):
    """A copy of the finished run that may be changed; its folder and table of runs."""
    shutil.copytree(tiny_fit.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path, load_configuration(tmp_path / "tiny.yaml")


def states(status):
    return {row.stage: row.state for row in status.stages}


def row(iteration, **values):
    return text_row({**dict.fromkeys(TEXT_COLUMNS, 0.5), "iter_num": iteration, "nfuncs": 7, **values})


def of_one_process(found):
    return {stage: state for stage, state in states(found).items() if stage not in ("report", "export")}


def test_look_at__a_finished_run(run):
    folder, table = run
    found = look_at(table, folder)
    assert set(of_one_process(found).values()) == {"done"}
    assert states(found)["report"] == "absent"
    assert [(c.step, c.cycle, c.state, c.iteration, c.maxiter) for c in found.cycles] == [
        (0, 0, "done", 2, 2), (0, 1, "done", 2, 2), (1, 0, "done", 2, 2), (1, 1, "done", 2, 2)
    ]  # fmt: skip
    assert all(c.rmse_epa_test > 0 and c.seconds_ago >= 0 for c in found.cycles)
    assert not found.has_lock


def test_look_at__nothing_is_there(tmp_path, run):
    folder, table = run
    shutil.rmtree(folder / "results")
    found = look_at(table, folder)
    assert set(states(found).values()) == {"absent"}
    assert found.cycles == []


def test_look_at__rounds_have_all_jobs_that_calculate_labels(tmp_path, monkeypatch):
    write_silicon(tmp_path)
    monkeypatch.chdir(tmp_path)
    table = load_configuration(write_config(tmp_path, {"active": {"label": {"jobs": 3}}}, "active.yaml", "silicon.yaml"))
    for name in ("structures", "atoms"):
        path = tmp_path / f"results/silicon/round-00/calculate/job-01-of-03/{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = {(row.run[-2:], row.stage): (row.state, row.n_done, row.n_jobs) for row in look_at(table, tmp_path).stages}
    assert found["00", "calculate"] == ("partly", 1, 3)
    assert found["00", "label"] == found["02", "label"] == ("absent", 0, 1)
    assert ("03", "calculate") not in found


def test_look_at__stale_stages_have_reasons(run):
    folder, table = run
    plan = [
        Planned("results/tiny/fit/step-01/cycle-01/result.yaml", "fit", True, "fit.loss.kappa: 0.3 -> 0.4"),
        Planned("results/tiny/potential.yaml", "potential", True, ""),
    ]
    found = {r.stage: r for r in look_at(table, folder, plan).stages}
    assert (found["fit"].state, found["fit"].reason) == ("stale", "fit.loss.kappa: 0.3 -> 0.4")
    assert (found["potential"].state, found["potential"].reason) == ("stale", "follows from earlier stages")
    assert found["basis"].state == "done"


def test_look_at__fits_wait_for_a_stale_basis(run):
    folder, table = run
    plan = [Planned("results/tiny/basis/ladder.yaml", "basis", True, "settings changed")]
    found = {r.stage: r for r in look_at(table, folder, plan).stages}
    assert found["basis"].state == "stale"
    assert (found["fit"].state, found["fit"].reason) == ("stale", "known when the basis is made")


def test_look_at__running_and_interrupted_fits(run):
    folder, table = run
    cycle = folder / FIT.format(run="tiny", step="01", cycle="01")
    (cycle / "result.yaml").unlink()
    (cycle / "running/metrics.txt").write_text(text_header() + row(0) + row(1, loss=0.25) + row(2)[:40])
    (cycle / "running/test_metrics.txt").unlink()
    found = look_at(table, folder)
    assert states(found)["fit"] == "interrupted"
    last = found.cycles[-1]
    assert (last.state, last.iteration, last.n_functions, last.loss) == ("interrupted", 1, 7, 0.25)
    assert math.isnan(last.rmse_epa_test)
    with (cycle / "running/evaluations.log").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert states(look_at(table, folder))["fit"] == "running"


def test_look_at__damaged_files_do_not_hinder(run):
    folder, table = run
    (folder / FIT.format(run="tiny", step="00", cycle="00") / "result.yaml").write_text("[")
    (folder / FIT.format(run="tiny", step="00", cycle="00") / "running/metrics.txt").write_bytes(b"\xff\x00")
    assert [(c.step, c.cycle) for c in look_at(table, folder).cycles] == [(0, 1), (1, 0), (1, 1)]
    (folder / "results/tiny/basis/ladder.yaml").write_text("steps: 3")
    assert look_at(table, folder).cycles == []


@pytest.mark.parametrize("text", ["iter_num nfuncs loss\nnan 3 0.1\n", "iter_num nfuncs\n1 inf\n", "loss\n1\n"])
def test_look_at__foreign_tables_do_not_hinder(run, text):
    folder, table = run
    cycle = folder / FIT.format(run="tiny", step="01", cycle="01")
    (cycle / "result.yaml").unlink()
    (cycle / "running/metrics.txt").write_text(text)
    assert [(c.step, c.cycle) for c in look_at(table, folder).cycles] == [(0, 0), (0, 1), (1, 0)]
    (cycle / "running/metrics.txt").unlink()
    os.mkfifo(cycle / "running/metrics.txt")
    assert len(look_at(table, folder).cycles) == 3


def test_look_at__partly_done_and_locked(run):
    folder, table = run
    next(iter((folder / "results/shared").glob("*/neighborlists-*/shard-000*"))).unlink()
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / ".snakemake/locks/0.input.lock").touch()
    found = look_at(table, folder)
    row = next(r for r in found.stages if r.stage == "neighborlists")
    assert (row.state, row.n_done, row.n_jobs) == ("partly", 1, 2)
    assert found.has_lock


def test_look_at__a_job_is_done_with_all_of_its_files(run):
    folder, table = run
    (next(folder.glob("results/shared/dataset-*")) / "atoms.parquet").unlink()
    assert states(look_at(table, folder))["dataset"] == "absent"


def test_look_at__the_last_round_of_active_learning_only_fits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_silicon(tmp_path)
    table = load_configuration(write_config(tmp_path, None, "active.yaml", "silicon.yaml"))
    stages = {}
    for row in look_at(table, tmp_path).stages:
        stages.setdefault(row.run, set()).add(row.stage)
    of_rounds = {"activeset", "explore", "choose", "label"}
    *others, last = (found & of_rounds for run, found in stages.items() if "round" in run)
    assert all(found == of_rounds for found in others)
    assert last == set()


def test_look_at__several_runs_have_a_comparison(run):
    folder, _ = run
    path = folder / "tiny.yaml"
    path.write_text(path.read_text() + "sweep: {fit.maxiter: [1, 2]}\n")
    found = look_at(load_configuration(path), folder)
    assert [r.run for r in found.stages if r.stage == "fit"] == ["tiny/maxiter-1", "tiny/maxiter-2"]
    assert [(r.run, r.state) for r in found.stages if r.stage == "compare"] == [("tiny", "absent")]


@pytest.mark.parametrize("text", ["", "a b\n", "a b\n1", "a b\n1 x\n", "a b\n1 2 3\n"])
def test_read_last_row__none_without_a_complete_line(tmp_path, text):
    (tmp_path / "x").write_text(text)
    assert read_last_row(tmp_path / "x") is None
    assert read_last_row(tmp_path / "absent") is None
    os.mkfifo(tmp_path / "pipe")
    assert read_last_row(tmp_path / "pipe") is None


def test_read_last_row__takes_the_last_complete_line(tmp_path):
    # the number of the last line may have more digits
    (tmp_path / "x").write_text("a b\n1 2\n3 nan\n5 0.1")
    assert read_last_row(tmp_path / "x")["a"] == 3


def test_is_locked__age_decides_where_there_is_no_table_of_locks(tmp_path):
    (tmp_path / "log").touch()
    assert is_locked(tmp_path / "log", tmp_path / "no-table")
    os.utime(tmp_path / "log", (1, 1))
    assert not is_locked(tmp_path / "log", tmp_path / "no-table")
    assert not is_locked(tmp_path / "absent")
