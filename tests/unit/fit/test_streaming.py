"""A fit whose pairs are in files is bitwise the one whose pairs are in memory."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.data.weights import Weights
from acefit.errors import FitError
from acefit.fit.loss import Loss, LossSettings
from acefit.fit.memory import MemoryEstimate
from acefit.fit.run import FitData, build_loss, run_fit
from acefit.potential.bbasis import format_potential
from gradients import random_weights
from models import prepared, random_potential, random_structures
from standins import small_job

SETTINGS = LossSettings(kappa=0.4, l1=1e-6, l2=1e-6, w1=1e-6, kappa_stress=0.3)
TIMES = ("time", "evaluation_time")

KILLED = """
import os, signal, sys
from pathlib import Path
from test_streaming import streaming_job
from acefit.fit.run import run_fit
from acefit.potential.bbasis import format_potential

kill_at, seen = int(sys.argv[2]), []

def watch(**state):
    seen.append(1)
    if len(seen) == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)

outcome = run_fit(streaming_job(Path(sys.argv[1]), "always", callbacks=[watch]))
Path(sys.argv[1], "final.yaml").write_text(format_potential(outcome.potential))
"""


def many(elements, copies=4):
    return [atoms for seed in range(copies) for atoms in random_structures(elements, seed)]


def streaming_job(folder, stream, **fit):
    potential = random_potential(1, scale=0.05)
    structures = StructureSet.from_ase(many(potential.elements))
    unknown = np.full(structures.n_structures, np.nan)
    data = FitData(structures, build(structures, potential.cutoff), Weights.uniform(structures), unknown)
    section = {"maxiter": 6, "display_step": 2, "loss": {"kappa": 0.4, "L2_coeffs": 1e-6, "kappa_stress": 0.01}, **fit}
    test = data.select([3, 5, 8])
    job = small_job(folder, section, potential=potential, train=data, test=test, make_loss=build_loss)
    return replace(job, settings=replace(job.settings, stream=stream))


@pytest.mark.parametrize("n_elements", [1, 3])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_loss__does_not_depend_on_where_the_pairs_are(tmp_path, n_elements, threads):
    potential = random_potential(n_elements)
    structures, neighbors = prepared(many(potential.elements), potential.cutoff)
    make = partial(Loss, potential, structures, neighbors, random_weights(structures), SETTINGS)
    expected = make(threads=1)
    x = expected.layout.vector()
    found = make(threads=threads, folder=tmp_path)
    for with_gradient in (False, True):
        for _ in range(2):
            one, other = expected(x, with_gradient), found(x, with_gradient)
            assert one.terms == other.terms
            for name in ("energies", "forces", "stresses", *(["gradient"] if with_gradient else [])):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert not list(tmp_path.iterdir())


def test_minibatch__does_not_depend_on_where_the_pairs_are(tmp_path):
    potential = random_potential(2)
    structures, neighbors = prepared(many(potential.elements), potential.cutoff)
    make = partial(Loss, potential, structures, neighbors, random_weights(structures), SETTINGS, n_blocks=20)
    expected, found = make(), make(folder=tmp_path)
    for blocks in ([0, 4, 19], [7]):
        one, other = (loss.minibatch(loss.layout.vector(), np.array(blocks), 3.0) for loss in (expected, found))
        assert one.value == other.value
        np.testing.assert_array_equal(one.gradient, other.gradient)


def test_loss__without_structures_may_stream(tmp_path):
    potential = random_potential(1)
    structures, neighbors = prepared([], potential.cutoff)
    loss = Loss(potential, structures, neighbors, Weights.uniform(structures), SETTINGS, folder=tmp_path)
    assert np.isfinite(loss(loss.layout.vector()).value)


@pytest.mark.parametrize("fit", [{}, {"optimizer": "Adam", "options": {"batch_size": 8}}], ids=["BFGS", "Adam"])
def test_run_fit__streaming_is_bitwise_the_fit_in_memory(tmp_path, fit):
    outcomes = [run_fit(streaming_job(tmp_path / stream, stream, **fit)) for stream in ("never", "always")]
    texts = [format_potential(outcome.potential) for outcome in outcomes]
    assert texts[0] == texts[1]
    rows = [[{k: repr(v) for k, v in row.items() if k not in TIMES} for row in outcome.rows] for outcome in outcomes]
    assert rows[0] == rows[1]
    names = [sorted(path.name for path in (tmp_path / stream).iterdir()) for stream in ("never", "always")]
    assert names[0] == names[1]


@pytest.mark.slow
def test_run_fit__killed_while_streaming_ends_the_same_and_leaves_no_files(tmp_path):
    whole = run_fit(streaming_job(tmp_path / "whole", "never"))
    tests = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join([str(tests), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    for kill_at, code in ((2, -signal.SIGKILL), (3, -signal.SIGKILL), (-1, 0)):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(kill_at)]
        answer = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False)
        assert answer.returncode == code, answer.stderr
        names = {path.name for path in (tmp_path / "killed").iterdir()}
        assert names <= {"evaluations.log", "metrics.txt", "test_metrics.txt", "potential.yaml", "final.yaml"}
    assert (tmp_path / "killed/final.yaml").read_text() == format_potential(whole.potential)
    shutil.rmtree(tmp_path / "killed")


def test_run_fit__memory_that_is_not_allowed_makes_it_stream(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("acefit.fit.run.resident_bytes", lambda: 0)
    monkeypatch.setattr("acefit.fit.run.estimate_memory", _estimate(2e9, 1e9))
    job = streaming_job(tmp_path, "auto")
    with caplog.at_level("INFO"):
        run_fit(replace(job, settings=replace(job.settings, max_memory=1.5e9)))
    assert "the pairs are kept in files, since with them in memory the fit would take 2000 MB" in caplog.text
    for stream, allowed in (("never", 1.5e9), ("auto", 0.5e9)):
        with pytest.raises(FitError, match="would need about"):
            run_fit(replace(job, settings=replace(job.settings, max_memory=allowed, stream=stream)))


def _estimate(in_memory, streaming):
    return lambda *sizes, stream, **others: MemoryEstimate(0, int(streaming if stream else in_memory), 0, 0)
