"""Seconds from the start of the command until a fit is below a loss: acefit, and pacemaker as a black box, one after the other.

    python benchmarks/measure_time_to_loss.py INPUT.yaml --loss 8.9e-7 [--peers DIR] [--threads 2] [--limit 1200]

INPUT.yaml is one of pacemaker. acefit runs it as a user does (`acefit import-input`, then the whole workflow with its report) as
it is, with its ladder and `optimizer: ScaledBFGS`, and with that optimiser and no ladder.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from acefit.artifacts import read_frame
from acefit.pipeline.import_input import import_input
from measuring import REPOSITORY
from peer_trainer import LINE, run_limited

WAYS: dict[str, dict[str, Any]] = {
    "acefit, as given": {},
    "acefit, ladder, ScaledBFGS": {"optimizer": "ScaledBFGS"},
    "acefit, no ladder, ScaledBFGS": {"optimizer": "ScaledBFGS", "ladder_step": None, "ladder_type": None},
}


class Reached(NamedTuple):
    """Seconds from the start of the command to the loss and to the end, and of the fits alone to the loss; None: never."""

    wall: float | None
    fits: float | None
    whole: float
    loss: float


def show(name: str, found: Reached) -> None:
    """Print one line."""
    wall, fits = (f"{value:.1f} s" if value is not None else "never" for value in (found.wall, found.fits))
    print(
        f"{name:32s} {wall:>8s} from the command, {fits:>8s} in the fits; whole {found.whole:.1f} s, loss {found.loss:.3e}",
        flush=True,
    )


def change(path: Path, fit: Mapping[str, Any]) -> None:
    """Set entries of the `fit` section; None removes them."""
    settings = yaml.safe_load(path.read_text())
    settings["fit"] = {key: value for key, value in {**settings["fit"], **fit}.items() if value is not None}
    path.write_text(yaml.safe_dump(settings, sort_keys=False))


def measure_acefit(given: Path, fit: Mapping[str, Any], loss: float, threads: int, limit: float) -> Reached:
    """Run the workflow in a fresh folder."""
    with tempfile.TemporaryDirectory(prefix="acefit-time-") as name:
        folder = Path(name) / "run"
        import_input(given, folder)
        change(folder / "input.yaml", fit)
        command = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile", "--cores", str(threads)]
        begun = time.time()
        whole = run_limited([*command, "--configfile", "input.yaml"], folder, {}, limit)
        before, last = 0.0, float("inf")
        for path in sorted(folder.glob("results/*/fit/step-*/cycle-*/metrics.parquet")):
            frame = read_frame(path, "metrics")
            frame = frame[frame.subset == "train"]
            end, last = frame.iloc[-1], float(frame.iloc[-1].loss)
            below = frame[frame.loss <= loss]
            if len(below):
                # the file is written when the fit ends, so this counts a little too much
                wall = path.stat().st_mtime - begun - (end.time - below.iloc[0].time)
                return Reached(wall, before + below.iloc[0].time, whole, last)
            before += end.time
        return Reached(None, None, whole, last)


def measure_pacemaker(given: Path, peers: Path, loss: float, threads: int, limit: float) -> Reached:
    """Run pacemaker in a fresh folder until the limit."""
    n = str(threads)
    environment = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": n, "TF_NUM_INTEROP_THREADS": n, "CUDA_VISIBLE_DEVICES": "-1"}
    with tempfile.TemporaryDirectory(prefix="acefit-time-") as name:
        folder = Path(name) / "run"
        import_input(given, folder)
        settings = yaml.safe_load((folder / "input.yaml").read_text())
        settings.setdefault("backend", {})["display_step"] = 10**6
        (folder / "input.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
        begun = datetime.datetime.now()
        command = [peers / "bin/pacemaker", "input.yaml", "--no-predict"]
        whole = run_limited(command, folder, {**environment, "PYTHONPATH": ""}, limit)
        points = list(iterations((folder / "run.log").read_text(errors="replace")))
    first = points[0][0]
    wall = next((moment for moment, value in points if value <= loss), None)
    seconds = [None if moment is None else (moment - start).total_seconds() for moment, start in ((wall, begun), (wall, first))]
    return Reached(*seconds, whole, points[-1][1])


def iterations(log: str) -> Iterator[tuple[datetime.datetime, float]]:
    """Moment and loss of each iteration in pacemaker's log."""
    for moment, _, _, value, _ in LINE.findall(log):
        yield datetime.datetime.strptime(moment, "%Y-%m-%d %H:%M:%S,%f"), float(value)


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("--loss", type=float, required=True)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=float, default=1200.0, help="seconds after which a program is stopped")
    options = parser.parse_args()
    for name, fit in WAYS.items():
        show(name, measure_acefit(options.input, fit, options.loss, options.threads, options.limit))
    if options.peers:
        show("pacemaker, as given", measure_pacemaker(options.input, options.peers, options.loss, options.threads, options.limit))


if __name__ == "__main__":
    main()
