"""Kill a fit at random moments, go on each time, and compare the end with an undisturbed run.

    python benchmarks/kill_and_resume.py config.yaml [--kills 5] [--cores 2] [--seed 1] [--folder /tmp/somewhere]

Runs the workflow twice in two fresh folders. In the second one the whole process group is killed (SIGKILL) at random moments
while a fit is running, unlocked and started again. Prints how far the fit was at each kill, and whether all potentials and
metrics are the same, byte for byte. Status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from acefit.artifacts import read_frame

ROOT = Path(__file__).resolve().parents[1]
POLL = 0.05
TIMES = ("time", "evaluation_time")


def command(config: Path, cores: int, *options: str) -> list[str]:
    """Snakemake of this environment on a configuration."""
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", str(cores)]
    return [*snakemake, *options, "--configfile", str(config)]


def start(config: Path, cores: int, folder: Path) -> subprocess.Popen[bytes]:
    """Start the workflow in a process group of its own."""
    log = (folder / "run.log").open("ab")
    return subprocess.Popen(command(config, cores), cwd=folder, stdout=log, stderr=log, start_new_session=True)


def iterations(folder: Path) -> int:
    """Number of lines in the metrics of all fits so far."""
    return sum(path.read_text().count("\n") for path in folder.glob("results/*/fit/*/*/running/metrics.txt"))


def run_with_kills(config: Path, cores: int, folder: Path, kills: int, rng: random.Random, undisturbed: int) -> None:
    """Kill at random numbers of iterations, spread over the whole run."""
    moments = sorted(rng.randrange(1, max(undisturbed - 1, 2)) for _ in range(kills))
    for number, moment in enumerate(moments, start=1):
        job = start(config, cores, folder)
        while job.poll() is None and iterations(folder) < moment:
            time.sleep(POLL)
        time.sleep(rng.random() * 0.3)
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
        print(f"kill {number}: {iterations(folder)} of {undisturbed} lines of metrics written", flush=True)
        subprocess.run(command(config, cores, "--unlock"), cwd=folder, check=True, capture_output=True)
    if start(config, cores, folder).wait() != 0:
        raise SystemExit(f"the last run failed, see {folder}/run.log")


def compare(one: Path, two: Path) -> list[str]:
    """Files that differ; the times in tables of metrics are not compared."""
    potentials = [path for path in sorted(one.glob("results/*/**/potential.yaml")) if "running" not in path.parts]
    different = [path for path in potentials if path.read_bytes() != (two / path.relative_to(one)).read_bytes()]
    for path in sorted(one.glob("results/*/fit/*/*/metrics.parquet")):
        tables = [read_frame(base / path.relative_to(one), "metrics").drop(columns=list(TIMES)) for base in (one, two)]
        if not tables[0].equals(tables[1]):
            different.append(path)
    return [str(path.relative_to(one)) for path in different]


def main() -> int:
    """Run, kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    base = arguments.folder or Path(tempfile.mkdtemp(prefix="acefit-kill-"))
    calm, disturbed = base / "undisturbed", base / "killed"
    config = arguments.config.resolve()
    for folder in (calm, disturbed):
        folder.mkdir(parents=True)
    if start(config, arguments.cores, calm).wait() != 0:
        raise SystemExit(f"the undisturbed run failed, see {calm}/run.log")
    run_with_kills(config, arguments.cores, disturbed, arguments.kills, random.Random(arguments.seed), iterations(calm))
    different = compare(calm, disturbed)
    count = len(list(calm.glob("results/*/**/potential.yaml")))
    print(f"{count} potentials and all metrics compared: " + (", ".join(different) or "all the same, byte for byte"))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
