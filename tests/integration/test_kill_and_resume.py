"""Kill the whole run in the middle of a fit, start it again, and get the potential of an undisturbed run."""

import os
import signal
import subprocess
import time

import pytest

from workflow_runs import command, run, write_config, write_dataset

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# Each iteration waits, so that there is a middle to be killed in
CALLBACK = "import time\n\n\ndef wait(**state):\n    time.sleep(0.05)\n"
TARGET = "results/tiny/select/step-00/potential.yaml"
SETTINGS = {
    "fit": {"ladder_step": None, "fit_cycles": 1, "maxiter": 60, "callbacks": ["slow_callback.wait"], "options": {"gtol": 1e-30}}
}


def prepare(folder):
    folder.mkdir()
    write_dataset(folder / "copper.xyz", n_structures=8)
    (folder / "slow_callback.py").write_text(CALLBACK)
    return write_config(folder, SETTINGS)


def metrics_lines(folder):
    path = folder / "results/tiny/fit/step-00/cycle-00/running/metrics.txt"
    return path.read_text().count("\n") if path.exists() else 0


def kill_in_the_middle(folder, config, number):
    """Start a run and end its process group once the fit has made some iterations."""
    process = subprocess.Popen(
        command(folder, config, TARGET),
        cwd=folder,
        start_new_session=True,
        # A suite that was started in the background ignores Ctrl-C, and its children would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 240
    while metrics_lines(folder) < 15 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()[0]
    os.killpg(process.pid, number)
    process.communicate(timeout=60)
    assert not (folder / TARGET).exists()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    answer = run(folder, prepare(folder), TARGET)
    assert answer.code == 0, answer.text
    return (folder / TARGET).read_bytes()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_killed_fit__goes_on_to_the_same_potential(tmp_path, undisturbed, number):
    folder = tmp_path / "run"
    config = prepare(folder)
    kill_in_the_middle(folder, config, number)
    before = metrics_lines(folder)
    if number == signal.SIGKILL:
        assert run(folder, config, "--unlock").code == 0
    answer = run(folder, config, TARGET)
    assert answer.code == 0, answer.text
    assert before >= 15
    assert "dataset" not in answer.jobs
    assert (folder / TARGET).read_bytes() == undisturbed
