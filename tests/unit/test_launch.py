"""Steps in one process and in several."""

import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from acefit.errors import FitError
from acefit.files import read_yaml
from acefit.launch import run_step
from acefit.potential.bbasis import read_potential
from acefit.potential.parameters import parameter_vector
from acefit.steps.fit import fit
from mpi_command import COMMAND, ENVIRONMENT, needs_mpi
from pipeline_files import outputs, write_inputs

# so few iterations that no line search ends for lack of digits, where rounding decides
SECTION = {"maxiter": 6, "display_step": 4, "loss": {"kappa": 0.3, "L2_coeffs": 1e-8}}
SLOW = "import time\n\n\ndef wait(**state):\n    time.sleep(0.3)\n"


def job_of(folder, mpi=None, tasks=1, threads=1):
    resources = {"mpi": mpi, "tasks": tasks}
    return SimpleNamespace(
        rule="fit", wildcards={"step": "00"}, log=[str(folder / "fit.log")], threads=threads, resources=resources
    )


def arguments_of(inputs, folder, **section):
    fixed = {"fit": {**SECTION, **section}, "seed": 1, "step": 0, "cycle": 0, "code": "x", "paths_to_previous": []}
    return {**inputs, **fixed, **outputs(folder)}


def run(inputs, folder, mpi=None, tasks=1, threads=1, **section):
    folder.mkdir(exist_ok=True)
    run_step(fit, arguments_of(inputs, folder, **section), job_of(folder, mpi, tasks, threads))
    return read_yaml(folder / "result.yaml")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def alone(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    return run(inputs, folder), parameter_vector(read_potential(folder / "potential.yaml"))


@pytest.fixture
def _mpi(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def test_step_without_mpi__runs_here():
    calls = []
    run_step(lambda **keywords: calls.append(keywords), {"a": 1}, job_of(Path()))
    assert calls == [{"a": 1}]


def test_program_that_is_not_there__is_named(tmp_path):
    pytest.importorskip("mpi4py")
    with pytest.raises(FitError, match="no program 'mpiexecutor'; mend the resource mpi"):
        run_step(fit, {}, job_of(tmp_path, "mpiexecutor --fast"))


def test_absent_mpi4py__is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("acefit.launch.find_spec", lambda name: None)
    with pytest.raises(FitError, match=r"needs mpi4py: pip install 'acefit\[mpi\]'"):
        run_step(fit, {}, job_of(tmp_path, "mpiexec"))


@needs_mpi
@pytest.mark.usefixtures("_mpi")
@pytest.mark.parametrize(("tasks", "threads"), [(1, 2), (2, 1), (2, 2), (4, 1)])
def test_fit_of_several_processes__is_that_of_one(inputs, tmp_path, alone, tasks, threads):
    result = run(inputs, tmp_path / "mpi", COMMAND, tasks, threads)
    expected, vector = alone
    assert result["loss"] == pytest.approx(expected["loss"], rel=1e-10)
    found = parameter_vector(read_potential(tmp_path / "mpi" / "potential.yaml"))
    np.testing.assert_allclose(found, vector, rtol=0, atol=1e-10 * np.abs(vector).max())
    log = (tmp_path / "mpi" / "fit.log").read_text()
    assert ("processes" in log) == (tasks > 1)
    assert not list((tmp_path / "mpi").glob("*.json"))


@needs_mpi
@pytest.mark.usefixtures("_mpi")
def test_wrong_input__is_one_message_and_ends_all(inputs, tmp_path, capfd):
    (tmp_path / "weights.parquet").write_bytes(b"no table")
    broken = {**inputs, "path_to_weights": tmp_path / "weights.parquet"}
    with pytest.raises(SystemExit) as stop:
        run(broken, tmp_path / "mpi", COMMAND, 2)
    assert stop.value.code == 1
    log = (tmp_path / "mpi" / "fit.log").read_text()
    assert "weights.parquet is not a complete Parquet file" in log + capfd.readouterr().err


@needs_mpi
@pytest.mark.usefixtures("_mpi")
def test_killed_process__ends_the_job_and_the_next_call_goes_on(inputs, tmp_path, monkeypatch):
    (tmp_path / "slow_callback.py").write_text(SLOW)
    section = {"callbacks": ["slow_callback.wait"], "callback_folders": [str(tmp_path)], "maxiter": 8}
    whole = run(inputs, tmp_path / "whole", COMMAND, 2, **section)
    # the same shares as there, however busy the machine is
    running = tmp_path / "killed" / "running"
    running.mkdir(parents=True)
    (running / "processes.yaml").write_bytes((tmp_path / "whole" / "running" / "processes.yaml").read_bytes())
    killer = threading.Thread(target=kill_one, args=(running,))
    killer.start()
    with pytest.raises(FitError, match=r"one of 2 processes of the fit ended .* goes on from the last evaluation"):
        run(inputs, tmp_path / "killed", COMMAND, 2, **section)
    killer.join()
    lines = len((running / "metrics.txt").read_text().splitlines())
    again = run(inputs, tmp_path / "killed", COMMAND, 2, **section)
    assert 4 <= lines < 9
    assert again["loss"] == whole["loss"]
    for name in ("potential.yaml", "running/metrics.txt"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert "continues an earlier run after" in (tmp_path / "killed" / "fit.log").read_text()


def kill_one(running, timeout=120.0):
    """Kill the youngest process of the job when some iterations are done."""
    deadline = time.monotonic() + timeout
    path = running / "metrics.txt"
    while time.monotonic() < deadline and not (path.exists() and len(path.read_text().splitlines()) >= 4):
        time.sleep(0.02)
    job = f"{running.parent}/fit.job.json"
    members = [p for p in Path("/proc").glob("[0-9]*/cmdline") if is_member(p, job)]
    os.kill(max(int(p.parent.name) for p in members), signal.SIGKILL)


def is_member(path, job):
    try:
        words = path.read_bytes().split(b"\0")
    except OSError:
        return False
    return words[-2:-1] == [job.encode()] and b"python" in words[0]
