"""One fit job, with a cheap loss in place of the true one; and a short true one."""

import logging
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.data.weights import Weights
from acefit.errors import FitError
from acefit.fit.run import FitData, build_loss, report_size, run_fit
from acefit.fit.settings import FitSettings
from acefit.potential.bbasis import format_potential, read_potential
from acefit.potential.parameters import parameter_layout, parameter_vector
from models import random_potential, random_structures
from standins import AnalyticLoss, small_data, small_job, stochastic_job

TIMES = ("time", "evaluation_time")

KILLED = """
import os, signal, sys
from pathlib import Path
from standins import small_job
from acefit.fit.run import run_fit
from acefit.potential.bbasis import format_potential

def run(folder, kill_at):
    def before(number):
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    child = os.fork()
    if child == 0:
        outcome = run_fit(small_job(folder, {"maxiter": 40}, before))
        (folder / "final.yaml").write_text(format_potential(outcome.potential))
        os._exit(0)
    return os.waitpid(child, 0)[1]

whole, killed = Path(sys.argv[1]) / "whole", Path(sys.argv[1]) / "killed"
assert run(whole, -1) == 0
for kill_at in map(int, sys.argv[2:]):
    assert run(killed, kill_at) == signal.SIGKILL
assert run(killed, -1) == 0
"""


def without_times(rows):
    # as text, because NaN differs from itself
    return [{key: repr(value) for key, value in row.items() if key not in TIMES} for row in rows]


def test_killed_fit__gives_bitwise_the_potential_of_an_undisturbed_one(tmp_path):
    kill_at = np.random.default_rng(5).integers(2, 12, size=4)
    tests = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", KILLED, str(tmp_path), *map(str, kill_at)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tests, env=None)
    assert answer.returncode == 0, answer.stderr
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert (whole / "final.yaml").read_bytes() == (killed / "final.yaml").read_bytes()
    for name in ("metrics.txt", "test_metrics.txt"):
        assert (whole / name).read_bytes() == (killed / name).read_bytes()
    assert (whole / "potential.yaml").read_bytes() == (killed / "potential.yaml").read_bytes()


def test_run_fit__records_every_iteration_and_the_files(tmp_path):
    outcome = run_fit(small_job(tmp_path))
    train = [row for row in outcome.rows if row["subset"] == "train"]
    assert [row["iter_num"] for row in train] == list(range(outcome.minimum.iterations + 1))
    assert {row["ladder_step"] for row in train} == {1}
    test = [row["iter_num"] for row in outcome.rows if row["subset"] == "test"]
    assert test == sorted({*range(0, outcome.minimum.iterations + 1, 5), outcome.minimum.iterations})
    assert outcome.metrics["train"]["loss"] == outcome.minimum.value == min(row["loss"] for row in train)
    assert outcome.potential.metadata["_loss"] == repr(outcome.minimum.value)
    assert outcome.potential.metadata["_fit_cycles"] == "1"
    assert len((tmp_path / "metrics.txt").read_text().splitlines()) == len(train) + 1
    assert len((tmp_path / "test_metrics.txt").read_text().splitlines()) == len(test) + 1
    np.testing.assert_array_equal(
        parameter_vector(read_potential(tmp_path / "potential.yaml")), parameter_vector(outcome.potential)
    )


def test_run_fit__second_call_replays_without_side_effects(tmp_path, caplog):
    called = []
    settings = FitSettings.from_section({"maxiter": 12, "display_step": 5, "callbacks": [lambda **state: called.append(1)]})
    first = run_fit(small_job(tmp_path, settings=settings))
    n_called = len(called)
    assert n_called == 12
    with caplog.at_level(logging.INFO):
        second = run_fit(small_job(tmp_path, settings=settings))
    assert len(called) == n_called
    assert without_times(second.rows) == without_times(first.rows)
    assert [row["time"] for row in second.rows[:-1]] == [row["time"] for row in first.rows[:-1]]
    assert format_potential(second.potential) == format_potential(first.potential)
    assert not [record for record in caplog.records if record.message.startswith("Iteration")]
    assert "continues an earlier run after " in caplog.text


def test_run_fit__more_iterations_continue_the_same_path(tmp_path):
    whole = run_fit(small_job(tmp_path / "whole", {"maxiter": 25}))
    short = run_fit(small_job(tmp_path / "grown", {"maxiter": 10}))
    grown = run_fit(small_job(tmp_path / "grown", {"maxiter": 25}))
    assert without_times(grown.rows) == without_times(whole.rows)
    assert grown.minimum.value == whole.minimum.value < short.minimum.value
    shorter = run_fit(small_job(tmp_path / "grown", {"maxiter": 10}))
    assert without_times(shorter.rows) == without_times(short.rows)


def test_run_fit__other_settings_start_anew(tmp_path, caplog):
    run_fit(small_job(tmp_path))
    with caplog.at_level(logging.WARNING):
        run_fit(small_job(tmp_path, {"options": {"c1": 1e-3}}))
    assert "set aside as evaluations.log.foreign" in caplog.text


@pytest.mark.parametrize("change", [{"code": "other"}, {"train": small_data(2)}, {"cycle": 1, "settings": None}])
def test_run_fit__other_code_data_or_start_start_anew(tmp_path, caplog, change):
    fit = {"noise_absolute_sigma": 0.1, "maxiter": 3}
    run_fit(small_job(tmp_path, fit))
    changed = {key: value for key, value in change.items() if value is not None}
    with caplog.at_level(logging.WARNING):
        run_fit(small_job(tmp_path, fit, **changed))
    assert "set aside" in caplog.text


def test_run_fit__iteration_whose_record_is_lost_is_done_again(tmp_path):
    whole = run_fit(small_job(tmp_path, {"maxiter": 10}))
    path = tmp_path / "evaluations.log"
    path.write_bytes(path.read_bytes()[:-30])
    again = run_fit(small_job(tmp_path, {"maxiter": 10}))
    assert without_times(again.rows) == without_times(whole.rows)


def test_run_fit__early_stopping_ends_it_and_so_does_its_replay(tmp_path):
    fit = {"min_relative_train_loss_per_iter": 0.9, "early_stopping_patience": 3}
    outcomes = [run_fit(small_job(tmp_path, fit, has_test=False)) for _ in range(2)]
    for outcome in outcomes:
        assert outcome.minimum.reason.startswith("early stopping: train loss changed by at most")
        assert outcome.minimum.iterations == 3
    test = run_fit(small_job(tmp_path, {"min_relative_test_loss_per_iter": 0.9, "early_stopping_patience": 5}))
    assert test.minimum.reason.startswith("early stopping: test loss")


def test_run_fit__callback_may_stop_it_and_is_not_asked_again(tmp_path):
    asked = []

    def stop(current_fit_iteration, **state):
        asked.append(current_fit_iteration)
        if current_fit_iteration == 3:
            raise StopIteration("that will do")

    for _ in range(2):
        outcome = run_fit(small_job(tmp_path, {"callbacks": [stop]}))
        assert outcome.minimum.reason.endswith(": that will do")
        assert outcome.minimum.iterations == 4
    assert asked == [0, 1, 2, 3]


def test_run_fit__callback_error_that_stops_leaves_the_last_good_potential(tmp_path):
    def broken(**state):
        raise ValueError("no")

    with pytest.raises(FitError, match=r"callback .* failed after iteration 1"):
        run_fit(small_job(tmp_path, {"callbacks": [broken], "callback_errors": "stop"}))
    assert read_potential(tmp_path / "potential.yaml").n_functions > 0


def test_run_fit__later_cycles_are_perturbed_from_their_own_generator(tmp_path):
    fit = {"noise_absolute_sigma": 0.1, "maxiter": 0}
    start = parameter_vector(run_fit(small_job(tmp_path / "a", fit)).potential)
    np.testing.assert_array_equal(start, parameter_vector(small_job(tmp_path).potential))
    first, same, other = (
        parameter_vector(run_fit(small_job(tmp_path / name, fit, cycle=cycle)).potential)
        for name, cycle in (("b", 1), ("c", 1), ("d", 2))
    )
    np.testing.assert_array_equal(first, same)
    assert 0.0 < np.abs(first - start).max() < 1.0
    assert not np.array_equal(first, other)


def test_run_fit__memory_limit_stops_before_anything_is_computed(tmp_path):
    job = small_job(tmp_path)
    with pytest.raises(FitError, match="would need about"):
        run_fit(replace(job, settings=replace(job.settings, max_memory=10.0)))
    assert not (tmp_path / "evaluations.log").exists()


def test_run_fit__true_loss_goes_down_and_metrics_agree_with_it(tmp_path):
    potential = random_potential(1, scale=0.05)
    frames = random_structures(potential.elements, seed=2)
    structures = StructureSet.from_ase(list(frames.values()) if isinstance(frames, dict) else frames)
    data = FitData(
        structures, build(structures, potential.cutoff), Weights.uniform(structures), np.full(structures.n_structures, np.nan)
    )
    section = {"maxiter": 5, "loss": {"kappa": 0.4, "L2_coeffs": 1e-6, "w1_rad": 1e-7, "w_orth": 1e-6, "kappa_stress": 0.01}}
    settings = FitSettings.from_section(section)
    job = small_job(tmp_path, settings=settings, potential=potential, train=data, has_test=False, make_loss=build_loss)
    outcome = run_fit(job)
    losses = [row["loss"] for row in outcome.rows]
    assert losses[-1] < losses[0]
    for row in outcome.rows:
        parts = row["e_loss_contrib"] + row["f_loss_contrib"] + row["s_loss_contrib"] + row["reg_loss"]
        assert parts == pytest.approx(row["loss"], rel=1e-10)


# ---------------------------------------------------------------- minibatches


class Killed(BaseException):
    """Stands for the end of the process: nobody catches it."""


def kill_at(number):
    def before(n):
        if n == number:
            raise Killed

    return before


@pytest.mark.parametrize("what", ["before_minibatch", "before"])
@pytest.mark.parametrize("number", [1, 2, 5, 6, 8])
def test_killed_stochastic_fit__gives_bitwise_the_potential_of_an_undisturbed_one(tmp_path, what, number):
    whole = run_fit(stochastic_job(tmp_path / "whole"))
    with pytest.raises(Killed):
        run_fit(stochastic_job(tmp_path / "killed", **{what: kill_at(number)}))
    # the second kill counts from the point where the run goes on
    with pytest.raises(Killed):
        run_fit(stochastic_job(tmp_path / "killed", before_minibatch=kill_at(3)))
    resumed = run_fit(stochastic_job(tmp_path / "killed"))
    assert format_potential(resumed.potential) == format_potential(whole.potential)
    assert without_times(resumed.rows) == without_times(whole.rows)
    for name in ("metrics.txt", "test_metrics.txt", "potential.yaml"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


def test_killed_stochastic_fit__loses_only_the_running_epoch(tmp_path):
    with pytest.raises(Killed):
        run_fit(stochastic_job(tmp_path, before_minibatch=kill_at(18)))
    asked = []
    run_fit(stochastic_job(tmp_path, before_minibatch=asked.append))
    # five minibatches in each of eight epochs, three of which were finished
    assert len(asked) == 5 * (8 - 3)
    again = []
    run_fit(stochastic_job(tmp_path, before_minibatch=again.append))
    assert not again


@pytest.mark.parametrize("lost", [1, 200, 3000, 9000])
def test_stochastic_fit__goes_on_from_any_length_of_its_log(tmp_path, lost):
    whole = run_fit(stochastic_job(tmp_path))
    path = tmp_path / "evaluations.log"
    content = path.read_bytes()
    path.write_bytes(content[:-lost])
    again = run_fit(stochastic_job(tmp_path))
    assert format_potential(again.potential) == format_potential(whole.potential)
    assert without_times(again.rows) == without_times(whole.rows)


def test_stochastic_fit__more_iterations_continue_the_same_path(tmp_path):
    whole = run_fit(stochastic_job(tmp_path / "whole", {"maxiter": 12}))
    run_fit(stochastic_job(tmp_path / "grown", {"maxiter": 5}))
    grown = run_fit(stochastic_job(tmp_path / "grown", {"maxiter": 12}))
    assert without_times(grown.rows) == without_times(whole.rows)
    assert grown.minimum.value < whole.rows[0]["loss"]


def is_beyond_wall(x, is_minibatch):
    """No loss on one side of a wall that the descent meets in its first epoch."""
    return bool(x[0] < 0.85)


def test_stochastic_fit__with_losses_that_are_not_finite_is_resumed_bitwise(tmp_path):
    fit = {"options": {"learning_rate": 0.1}}
    whole = run_fit(stochastic_job(tmp_path / "whole", fit, is_bad=is_beyond_wall))
    assert whole.minimum.non_finite > 0
    for number in (3, 9, 14):
        with pytest.raises(Killed):
            run_fit(stochastic_job(tmp_path / "killed", fit, is_bad=is_beyond_wall, before_minibatch=kill_at(number)))
    resumed = run_fit(stochastic_job(tmp_path / "killed", fit, is_bad=is_beyond_wall))
    assert format_potential(resumed.potential) == format_potential(whole.potential)


def test_stochastic_fit__minibatches_that_stay_not_finite_end_it_at_the_best_point(tmp_path, caplog):
    job = stochastic_job(tmp_path, is_bad=lambda x, is_minibatch: is_minibatch)
    with caplog.at_level(logging.WARNING):
        outcome = run_fit(job)
    assert outcome.minimum.reason in caplog.text
    assert outcome.minimum.reason.startswith("stopped: the loss was not finite at 100 trial points in a row after iteration 0")
    np.testing.assert_array_equal(parameter_vector(outcome.potential), parameter_vector(job.potential))


def nan_from(number):
    """Loss that is not a number from an evaluation on, in the predictions of the second structure."""

    class Broken(AnalyticLoss):
        def __call__(self, x):
            found = super().__call__(x)
            if self.calls < number:
                return found
            energies = found.energies.copy()
            energies[1] = np.nan
            return found._replace(value=float("nan"), terms={"energy": float("nan"), "l1": 0.0}, energies=energies)

    return lambda potential, data, settings, with_gradient, n_blocks: (Broken if with_gradient else AnalyticLoss)(data)


def test_run_fit__start_that_is_not_finite_is_explained(tmp_path):
    with pytest.raises(FitError) as caught:
        run_fit(small_job(tmp_path, make_loss=nan_from(1)))
    assert "value nan; not finite are the terms energy; predictions fail for 1 structures:" in str(caught.value)
    assert "(shortest distance 2.3 Å)" in str(caught.value)


def test_run_fit__loss_that_breaks_down_keeps_the_last_good_potential(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        outcome = run_fit(small_job(tmp_path, make_loss=nan_from(9)))
    found = outcome.minimum
    assert not found.converged
    assert found.non_finite > 0
    best = min(row["loss"] for row in outcome.rows if row["subset"] == "train")
    assert found.value == best < outcome.rows[0]["loss"]
    assert outcome.potential.metadata["_loss"] == repr(best)
    kept = parameter_vector(read_potential(tmp_path / "potential.yaml"))
    np.testing.assert_array_equal(kept, parameter_vector(outcome.potential))
    again = run_fit(small_job(tmp_path, make_loss=nan_from(9)))
    assert format_potential(again.potential) == format_potential(outcome.potential)


def test_stochastic_fit__another_seed_takes_another_path(tmp_path, caplog):
    first = run_fit(stochastic_job(tmp_path))
    with caplog.at_level(logging.WARNING):
        second = run_fit(replace(stochastic_job(tmp_path), seed=4))
    assert "set aside" in caplog.text
    assert second.minimum.value != first.minimum.value


def test_run_fit__large_batches_are_the_full_gradient(tmp_path):
    fit = {"optimizer": "Adam", "maxiter": 6}
    plain = run_fit(small_job(tmp_path / "a", {**fit, "options": {"learning_rate": 0.02}}))
    large = run_fit(small_job(tmp_path / "b", {**fit, "options": {"learning_rate": 0.02, "batch_size": 3}}))
    assert format_potential(plain.potential) == format_potential(large.potential)
    assert plain.minimum.evaluations == 7


def test_run_fit__bad_batch_size_is_one_error_before_anything_is_written(tmp_path):
    with pytest.raises(FitError, match=r"fit\.options: batch_size must be a whole number"):
        run_fit(stochastic_job(tmp_path / "run", {"options": {"batch_size": 0}}))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("stream", "expected"), [("always", True), ("never", False), ("auto", False)])
def test_report_size__says_whether_to_stream(tmp_path, caplog, stream, expected):
    job = small_job(tmp_path)
    job = replace(job, settings=replace(job.settings, stream=stream))
    layout = parameter_layout(job.potential)
    with caplog.at_level(logging.INFO):
        assert report_size(job, layout, np.ones(layout.n_parameters, dtype=bool)) is expected
    assert ("the pairs are kept in files (fit.stream: always)" in caplog.text) == expected


def many_structures(elements, copies=4):
    frames = [atoms for seed in range(copies) for atoms in random_structures(elements, seed)]
    return StructureSet.from_ase(frames)


def test_stochastic_fit__true_loss_goes_down_and_order_of_the_rows_does_not_matter(tmp_path):
    potential = random_potential(1, scale=0.05)
    structures = many_structures(potential.elements)
    n = structures.n_structures
    data = FitData(structures, build(structures, potential.cutoff), Weights.uniform(structures), np.full(n, np.nan))
    fit = {"optimizer": "Adam", "maxiter": 4, "options": {"batch_size": 5, "learning_rate": 0.003}, "loss": {"kappa": 0.4}}
    job = small_job(tmp_path, fit, potential=potential, train=data, has_test=False, make_loss=build_loss)
    outcome = run_fit(job)
    assert outcome.minimum.value < outcome.rows[0]["loss"]
    full = build_loss(potential, data, job.settings, True)(parameter_vector(outcome.potential))
    assert full.value == pytest.approx(outcome.minimum.value, rel=1e-12)


def test_select__takes_everything_along():
    data = small_data(6)
    part = data.select([4, 1])
    np.testing.assert_array_equal(part.structures.energies, data.structures.energies[[4, 1]])
    np.testing.assert_array_equal(part.weights.energy, data.weights.energy[[4, 1]])
    assert part.neighbors.n_atoms == part.structures.n_atoms == len(part.weights.force)
    assert len(part.effective_energies) == 2


def test_run_fit__says_which_share_of_its_time_is_not_the_loss(tmp_path, caplog):
    with caplog.at_level("INFO"):
        run_fit(small_job(tmp_path, {"maxiter": 3}))
    assert re.search(r"after 3 iterations, \d+ evaluations; .* \d+ % of this run outside the loss", caplog.text)
