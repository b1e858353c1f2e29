"""acefit run and status with the real Snakemake: exit codes, signals, stale stages; the fit in memory beside the pipeline."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from acefit.api import fit_potential
from acefit.files import read_yaml
from acefit.potential.bbasis import format_potential, read_potential
from workflow_runs import ROOT, write_config, write_dataset

pytestmark = pytest.mark.e2e

ACEFIT = [sys.executable, "-c", "from acefit.cli.app import main; main()"]


def acefit(folder, *arguments, expected=0):
    done = subprocess.run([*ACEFIT, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == expected, done.stdout + done.stderr
    return done


def status(folder, config):
    found = json.loads(acefit(folder, "status", config, "--json").stdout)
    assert found["is_staleness_known"], found["problem"]
    return {row["stage"]: (row["state"], row["reason"]) for row in found["stages"]}, found["cycles"]


def fast_states(folder):
    """States of the cycles by the files alone."""
    found = json.loads(acefit(folder, "status", "tiny.yaml", "--fast", "--json").stdout)
    return [row["state"] for row in found["cycles"]]


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished run that may be changed."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_fit_potential__gives_bitwise_what_the_pipeline_gives(finished):
    with contextlib.chdir(finished):
        result = fit_potential("tiny.yaml")
    losses = [read_yaml(finished / f"results/tiny/fit/step-01/cycle-{c:02d}/result.yaml")["loss"] for c in (0, 1)]
    assert result.loss == min(losses)
    assert format_potential(result.potential) == format_potential(read_potential(finished / "results/tiny/potential.yaml"))


def test_status__of_a_finished_run_and_after_a_change(copied):
    stages, cycles = status(copied, "tiny.yaml")
    assert {state for state, _ in stages.values()} == {"done"}
    assert [row["state"] for row in cycles] == ["done"] * 4
    write_config(copied, {"fit": {"loss": {"kappa": 0.4}}})
    stages, _ = status(copied, "tiny.yaml")
    assert stages["fit"] == ("stale", "fit.loss.kappa: 0.3 -> 0.4")
    assert stages["select"] == ("stale", "follows from earlier stages")
    assert stages["weights"] == ("done", "")


def test_run__passes_options_and_exit_codes_on(copied):
    assert "Nothing to be done" in (done := acefit(copied, "run", "tiny.yaml", "--cores", 1)).stdout + done.stderr
    acefit(copied, "run", "tiny.yaml", "-n", "--", "results/no/such/file", expected=1)


@pytest.mark.long
def test_run__interrupted_by_the_terminal(tmp_path):
    """Ctrl-C reaches the whole group of processes, as here."""
    write_dataset(tmp_path / "copper.xyz")
    fit = {
        "optimizer": "Adam",
        "maxiter": 1_000_000,
        "ladder_step": None,
        "fit_cycles": 1,
        "restarts": None,
        "noise_relative_sigma": None,
    }
    write_config(tmp_path, {"fit": {**fit, "early_stopping_patience": 1_000_000}})
    live = tmp_path / "results/tiny/fit/step-00/cycle-00/running/metrics.txt"
    with subprocess.Popen(
        [*ACEFIT, "run", "tiny.yaml", "--cores", "1"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while not live.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            assert live.exists()
            state = fast_states(tmp_path)
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(60) != 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert state == ["running"]
    assert fast_states(tmp_path) == ["interrupted"]
    assert not list((tmp_path / ".snakemake").glob("locks/*"))


def test_completion__of_commands_and_options():
    environment = {**os.environ, "_ACEFIT_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    script = "import sys; sys.argv[0] = 'acefit'; from acefit.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, "COMP_WORDS": "acefit ch"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "check" in done.stdout.split()


@pytest.mark.long
def test_run__from_a_built_package_in_any_folder(finished, tmp_path):
    """A wheel brings the workflow along, and its steps have the same digests: what the repository made is up to date for it."""
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(ROOT)]
    subprocess.run(pip, check=True, capture_output=True)
    folder = tmp_path / "work"
    shutil.copytree(finished, folder)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [*ACEFIT, "run", "tiny.yaml", "--cores", "1"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"Snakefile: {site / 'acefit/_repository/Snakefile'}" in done.stdout + done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr
