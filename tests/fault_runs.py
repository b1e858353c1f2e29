"""Runs of the workflow that meet a fault, what must be intact afterwards, and the table of trials."""

import os
import shutil
import signal
import subprocess
import time
from collections import defaultdict
from pathlib import Path

from acefit.fit.checkpoint import DIGEST_BYTES, MAGIC, EvaluationLog
from workflow_runs import command, run, write_config, write_dataset

SETTINGS = {"data": {"shards": 1}, "fit": {"ladder_step": None, "maxiter": 12, "options": {"gtol": 1e-30}}}
RUN = Path("results/tiny")
POTENTIAL = RUN / "potential.yaml"
# These hold measured times, or digests of files that do
TIMED = {"metrics.parquet", "result.yaml", "cycles.parquet", "cost.yaml"}
TALLY = defaultdict(lambda: [0, 0, 0])
"""Kind of fault -> trials, survivors, most iterations lost."""


def prepare(folder):
    """Dataset and configuration of a small run."""
    folder.mkdir(parents=True)
    write_dataset(folder / "copper.xyz")
    return write_config(folder, SETTINGS)


def copy_run(source, target):
    """Copy a run with its dates, so that nothing is to be done in it."""
    shutil.copytree(source, target, symlinks=True)
    return target / "tiny.yaml"


def artifacts(folder):
    """Sealed texts and tables of a run, as paths in it, whose bytes do not depend on times."""
    files = [
        path
        for path in folder.glob("results/**/*")
        if path.suffix in (".yaml", ".parquet") and not {"running", "steps.damaged"} & set(path.parts)
    ]
    return sorted(path.relative_to(folder) for path in files if path.name not in TIMED)


def check_intact(folder, calm):
    """Everything that is there is what the calm run has."""
    for path in artifacts(folder):
        assert (folder / path).read_bytes() == (calm / path).read_bytes(), path


def start(folder, config, *arguments, environment=None, limit=None, before=None):
    """Start Snakemake in a process group of its own; its output goes to `run.log`."""

    def prepare_process():
        # A suite that was started in the background ignores Ctrl-C, and its children would inherit that
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if before is not None:
            before()

    with (folder / "run.log").open("ab") as log:
        return subprocess.Popen(
            command(folder, config, *arguments),
            cwd=folder,
            env={**os.environ, "MPLBACKEND": "Agg", **(environment or {})},
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=prepare_process,
        )


def end_group(process, number=signal.SIGKILL):
    """Send a signal to all processes of a run that was started here, and wait for its end."""
    if process.poll() is None:
        os.killpg(process.pid, number)
    process.wait(timeout=120)
    wait_for_group(process)


def wait_for_group(process):
    """Wait until the jobs of a run are gone, too; they may outlive its main process."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)


def iterations_lost(folder):
    """Most iterations of a fit that had begun to be recorded and are not in its log."""
    lost = 0
    for text in folder.glob("results/*/fit/*/*/running/metrics.txt"):
        content = (text.parent / "evaluations.log").read_bytes()
        with EvaluationLog.open(text.parent / "evaluations.log", content[len(MAGIC) : len(MAGIC) + DIGEST_BYTES]) as log:
            lost = max(lost, text.read_text().count("\n") - 1 - len(log.iterations))
    return lost


def check_survives(kind, folder, config, calm, *arguments, unlock=False):
    """Check that nothing is damaged and that a plain rerun gives the potential of the calm run; count the trial."""
    row = TALLY[kind]
    row[0] += 1
    check_intact(folder, calm)
    lost = iterations_lost(folder)
    assert lost <= 1
    if unlock:
        assert run(folder, config, "--unlock").code == 0
    answer = run(folder, config, *arguments)
    assert answer.code == 0, answer.text
    check_intact(folder, calm)
    assert (folder / POTENTIAL).exists()
    row[1] += 1
    row[2] = max(row[2], lost)
    return answer


def format_tally():
    """The table of all trials."""
    lines = [f"{kind:<58}{trials:>8}{survivors:>11}{lost:>17}" for kind, (trials, survivors, lost) in TALLY.items()]
    return "\n".join([f"{'kind of fault':<58}{'trials':>8}{'survivors':>11}{'iterations lost':>17}", *lines])
