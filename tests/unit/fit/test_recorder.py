"""Bookkeeping of iterations; most of it is tested through whole jobs in test_run."""

from acefit.fit import recorder as recorder_module
from acefit.fit.run import run_fit
from standins import small_job


def test_recorder__writes_the_potential_after_every_iteration(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(recorder_module, "write_potential", lambda potential, path, **_: written.append(path))
    monkeypatch.setattr(recorder_module, "WRITING_SHARE", 1e9)
    outcome = run_fit(small_job(tmp_path, {"maxiter": 4}))
    assert len(written) == outcome.minimum.iterations + 2


def test_recorder__writes_the_first_and_the_last_potential_where_iterations_are_short(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder_module, "WRITING_SHARE", 1e-9)
    written = []
    monkeypatch.setattr(recorder_module, "write_potential", lambda potential, path, **_: written.append(potential))
    outcome = run_fit(small_job(tmp_path, {"maxiter": 4}))
    assert len(written) == 2
    assert written[1].metadata["_loss"] == repr(outcome.minimum.value)


def test_recorder__initial_state_and_tables_are_logged(tmp_path, caplog):
    with caplog.at_level("INFO"):
        run_fit(small_job(tmp_path, {"maxiter": 6}))
    titles = ("INIT FIT STATS", "INIT TEST STATS", " FIT STATS ", " TEST STATS ", "Iteration   #0", "Test        #5")
    assert all(title in caplog.text for title in titles)


def test_recorder__rows_count_evaluations_and_time_upwards(tmp_path):
    rows = [row for row in run_fit(small_job(tmp_path)).rows if row["subset"] == "train"]
    for name in ("evaluations", "time", "evaluation_time"):
        values = [row[name] for row in rows]
        assert values == sorted(values)
        assert values[-1] > 0
