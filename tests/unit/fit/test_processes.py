"""Fits whose structures are divided among processes, here threads that exchange messages, against fits in one process."""

import logging
import threading
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from acefit.data.weights import Weights
from acefit.errors import FitError
from acefit.files import read_yaml, write_yaml
from acefit.fit.metrics import ERROR_METRICS
from acefit.fit.processes import ALONE, divide, measure_speeds, read_speeds, refuse_minibatches
from acefit.fit.run import FitData, FitJob, assist_fit, build_loss, run_fit
from acefit.fit.settings import FitSettings
from acefit.potential.parameters import parameter_layout
from models import prepared, random_potential, random_structures
from together import together

SECTION = {
    "maxiter": 5,
    "display_step": 2,
    "loss": {"kappa": 0.3, "kappa_stress": 0.5, "L1_coeffs": 1e-5, "L2_coeffs": 1e-5, "w1_rad": 1e-6},
}


def true_job(folder, fit=None, **changes):
    """A short fit of a small potential to random targets; the energies differ by more than the low-energy window."""
    rng = np.random.default_rng(3)
    potential = random_potential(2, orders=((2, 2, 1), (0, 1, 1)))
    structures, neighbors = prepared(random_structures(potential.elements), potential.cutoff)
    fields = {name: getattr(structures, name) for name in structures.__dataclass_fields__}
    fields["energies"] = structures.atoms_per_structure * np.linspace(-1.0, 1.5, structures.n_structures)
    fields["forces"] = rng.normal(size=(structures.n_atoms, 3))
    structures = type(structures)(**fields)
    data = FitData(structures, neighbors, Weights.uniform(structures), np.full(structures.n_structures, np.nan))
    settings = FitSettings.from_section({**SECTION, **(fit or {})})
    n = structures.n_structures
    train, test = data.select(np.arange(n - 3)), data.select(np.arange(n - 3, n))
    return FitJob(potential, train, test, settings, seed=1, step=0, cycle=0, folder=folder, **changes)


def fit_together(size, folder, **keywords):
    """Outcome of the first process."""

    def run(processes):
        job = true_job(folder, processes=processes, **keywords)
        return assist_fit(job) if processes.rank else run_fit(job)

    outcomes = together(size, run)
    assert outcomes[1:] == [None] * (size - 1)
    return outcomes[0]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return run_fit(true_job(tmp_path_factory.mktemp("alone")))


@pytest.mark.parametrize("size", [2, 3, 20])
def test_divided_fit__is_that_of_one_process(tmp_path, alone, size):
    found = fit_together(size, tmp_path)
    assert found.minimum.value == pytest.approx(alone.minimum.value, rel=1e-10)
    vectors = [parameter_layout(outcome.potential).vector() for outcome in (found, alone)]
    np.testing.assert_allclose(*vectors, rtol=1e-10, atol=1e-12)
    assert [row["iter_num"] for row in found.rows] == [row["iter_num"] for row in alone.rows]
    for one, other in zip(found.rows, alone.rows, strict=True):
        for name in (*ERROR_METRICS, "loss", "e_loss_contrib", "f_loss_contrib", "s_loss_contrib", "reg_loss"):
            assert one[name] == pytest.approx(other[name], rel=1e-9, abs=1e-13, nan_ok=True), name
    assert any(np.isfinite(row["low_rmse_epa"]) and row["low_rmse_epa"] != row["rmse_epa"] for row in found.rows)


@pytest.mark.parametrize("speeds", [[1.0, 1.0], [1.5, 1.0]])
def test_divided_fit__goes_on_with_the_same_bits(tmp_path, speeds):
    for folder in ("whole", "cut"):
        (tmp_path / folder).mkdir()
        write_yaml({"speeds": speeds}, tmp_path / folder / "processes.yaml")
    whole = fit_together(2, tmp_path / "whole", fit={"maxiter": 8})
    assert fit_together(2, tmp_path / "cut", fit={"maxiter": 3}).minimum.iterations == 3
    continued = fit_together(2, tmp_path / "cut", fit={"maxiter": 8})
    assert continued.minimum.value == whole.minimum.value
    assert read_yaml(tmp_path / "cut" / "processes.yaml") == {"speeds": speeds}


def test_divided_fit__keeps_its_shares(tmp_path):
    first = fit_together(2, tmp_path, fit={"maxiter": 8})
    (tmp_path / "evaluations.log").unlink()
    assert fit_together(2, tmp_path, fit={"maxiter": 8}).minimum.value == first.minimum.value


def test_divided_fit__takes_one_broadcast_and_one_reduction_per_evaluation(tmp_path):
    counts = []

    def run(processes):
        job = true_job(tmp_path, processes=processes)
        outcome = assist_fit(job) if processes.rank else run_fit(job)
        counts.append(processes.n_messages)
        return outcome

    outcome = together(2, run)[0]
    n_test = sum(row["subset"] == "test" for row in outcome.rows) + (outcome.minimum.iterations % 2 == 0)
    # and the last message, which dismisses
    assert counts == [2 * (outcome.minimum.evaluations + n_test) + 1] * 2


def test_divided_fit__an_error_of_one_process_ends_all(tmp_path):
    def make_loss(potential, data, settings, with_gradient, n_blocks):
        if data.structures.n_structures and data.structures.names[0] == true_job(tmp_path).train.structures.names[-1]:
            raise FitError("this part is bad")
        return build_loss(potential, data, settings, with_gradient, n_blocks)

    with pytest.raises(FitError, match="this part is bad"):
        fit_together(8, tmp_path, make_loss=make_loss)


def test_minibatches__want_one_process(tmp_path):
    refuse_minibatches(ALONE)
    with pytest.raises(FitError, match=r"minibatches \(fit.options.batch_size\) are made in one process, not 2"):
        together(2, lambda processes: refuse_minibatches(processes))


@pytest.mark.parametrize(
    ("costs", "speeds", "bounds"),
    [
        ([1, 1, 1, 1], [1.0, 1.0], [0, 2, 4]),
        ([1, 1, 1, 1], [1.0, 3.0], [0, 1, 4]),
        ([5, 1, 1, 1], [1.0, 1.0], [0, 1, 4]),
        ([1, 1], [1.0, 1.0, 1.0, 1.0], [0, 1, 1, 2, 2]),
        ([], [1.0, 1.0], [0, 0, 0]),
    ],
)
def test_divide__gives_ranges_by_cost_and_speed(costs, speeds, bounds):
    assert list(divide(np.array(costs, dtype=np.int64), speeds)) == bounds


def test_measured_speeds__are_kept_and_dealt_by(tmp_path, caplog):
    path = tmp_path / "processes.yaml"

    def run(processes):
        evaluate = None if processes.rank == 2 else (lambda: time.sleep(0.02 + 0.06 * processes.rank))
        return measure_speeds(processes, evaluate, 10.0, path), read_speeds(path, processes)

    with caplog.at_level(logging.INFO, logger="acefit"):
        answers = together(3, run)
    speeds, kept = answers[0]
    assert speeds[0] > 2 * speeds[1]
    assert speeds[1] < speeds[2] < speeds[0]
    assert all(answer == answers[0] for answer in answers)
    assert kept == speeds == read_yaml(path)["speeds"]
    assert "structures are dealt again" in caplog.text


def test_even_speeds__leave_the_shares_alone(tmp_path):
    path = tmp_path / "processes.yaml"
    answers = together(3, lambda processes: measure_speeds(processes, lambda: time.sleep(0.1), 10.0, path))
    assert answers == [[1.0] * 3] * 3
    assert read_yaml(path) == {"speeds": [1.0] * 3}


def test_read_speeds__ignores_those_of_other_numbers_of_processes(tmp_path):
    path = tmp_path / "processes.yaml"
    write_yaml({"speeds": [1.0, 2.0, 3.0]}, path)
    assert together(2, lambda processes: read_speeds(path, processes)) == [None, None]
    assert together(3, lambda processes: read_speeds(path, processes)) == [[1.0, 2.0, 3.0]] * 3


def test_read_speeds__ignores_a_damaged_file(tmp_path, caplog):
    path = tmp_path / "processes.yaml"
    path.write_text("speeds: [1.0, 2.0]\n")
    assert together(2, lambda processes: read_speeds(path, processes)) == [None, None]
    assert "speeds are measured again" in caplog.text


def test_uneven_shares__are_dealt_again(tmp_path, monkeypatch, alone):
    # the second process seems four times slower at first
    def measure(processes, evaluate, cost, path):
        if processes.rank == 0:
            write_yaml({"speeds": [2.0, 1.0]}, path)
        return [2.0, 1.0]

    monkeypatch.setattr("acefit.fit.run.measure_speeds", measure)
    sizes = defaultdict(list)  # of each process, here a thread

    def make_loss(potential, data, settings, with_gradient, n_blocks):
        if with_gradient:
            sizes[threading.get_ident()].append(data.structures.n_structures)
        return build_loss(potential, data, settings, with_gradient, n_blocks)

    found = fit_together(2, tmp_path, make_loss=make_loss)
    assert found.minimum.value == pytest.approx(alone.minimum.value, rel=1e-10)
    # by cost at first, then by cost and speed
    n = true_job(tmp_path).train.structures.n_structures
    first, second = zip(*sizes.values(), strict=True)
    assert max(first) < max(second)
    assert sum(first) == sum(second) == n


def test_pairs_in_files__give_the_same(tmp_path, alone):
    settings = replace(FitSettings.from_section(SECTION), stream="always")

    def run(processes):
        job = replace(true_job(tmp_path / "paged", processes=processes), settings=settings)
        return assist_fit(job) if processes.rank else run_fit(job)

    assert together(2, run)[0].minimum.value == pytest.approx(alone.minimum.value, rel=1e-10)
