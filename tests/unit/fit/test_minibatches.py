"""How structures are dealt to minibatches, and that their estimates are those of the whole."""

from typing import NamedTuple

import numpy as np
import pytest

from acefit.errors import FitError
from acefit.fit.loss import Loss, LossSettings
from acefit.fit.minibatches import BLOCKS_PER_BATCH, BatchPlan, epochs_of, plan_batches
from acefit.fit.settings import FitSettings
from acefit.potential.parameters import parameter_vector
from gradients import random_loss, random_weights
from models import prepared, random_potential, random_structures
from standins import small_data

ALL_TERMS = LossSettings(kappa=0.3, l1=1e-3, l2=2e-3, w1=2e-3, w_orth=0.02, kappa_stress=2.0)


class Large(NamedTuple):
    """As much of a set as the plan looks at."""

    n_structures: int
    n_atoms: int


def plan_for(n_structures, batch_size=4, optimizer="Adam", **place):
    settings = FitSettings(optimizer=optimizer, options={"batch_size": batch_size} if batch_size else None)
    return plan_batches(settings, small_data(n_structures).structures, **{"seed": 1, "step": 0, "cycle": 0, **place})


@pytest.mark.parametrize(("n", "batch_size"), [(5, 1), (5, 4), (64, 8), (65, 8), (150, 7), (40, None)])
def test_plan_batches__divides_all_structures_evenly(n, batch_size):
    plan = plan_for(n, batch_size)
    size = batch_size or 32
    assert plan.n_batches == -(-n // size)
    assert plan.n_batches <= plan.n_blocks <= n
    assert plan.n_blocks >= min(64, n)
    for epoch in (1, 2):
        batches = plan.draw(epoch)
        assert len(batches) == plan.n_batches
        np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(plan.n_blocks))
        assert max(map(len, batches)) - min(map(len, batches)) <= 1
    np.testing.assert_array_equal(np.sort(plan.shuffled(n)), np.arange(n))


def test_plan_batches__large_structures_give_more_blocks_up_to_a_limit():
    settings = FitSettings(optimizer="Adam", options={"batch_size": 100.0})
    structures = small_data(2000).structures
    few = plan_batches(settings, structures, 0, 0, 0)
    assert few.n_blocks == few.n_batches * (200 // 32)
    bulky = plan_batches(settings, Large(2000, 400000), 0, 0, 0)
    assert bulky.n_blocks == bulky.n_batches * BLOCKS_PER_BATCH[1]


@pytest.mark.parametrize(
    ("n", "batch_size", "optimizer"), [(5, 5, "Adam"), (5, 32, "Adam"), (5, None, "Adam"), (50, None, "BFGS")]
)
def test_plan_batches__there_is_none_for_the_full_gradient(n, batch_size, optimizer):
    assert plan_for(n, batch_size, optimizer) is None


@pytest.mark.parametrize("batch_size", [0, -3, 2.5, True, "8"])
def test_plan_batches__batch_size_must_be_a_number_of_structures(batch_size):
    settings = FitSettings(optimizer="Adam", options={"batch_size": batch_size})
    with pytest.raises(FitError, match=r"fit\.options: batch_size must be a whole number, 1 or more; got"):
        plan_batches(settings, small_data().structures, 0, 0, 0)


def test_draw__depends_on_seed_step_cycle_and_epoch_and_on_nothing_else():
    drawn = {}
    for place in ((1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)):
        plan = BatchPlan(8, 64, *place)
        order = plan.shuffled(64)
        backwards = [plan.draw(epoch) for epoch in (3, 2, 1)][::-1]
        for epoch, batches in enumerate(backwards, start=1):
            np.testing.assert_array_equal(np.concatenate(batches), np.concatenate(BatchPlan(8, 64, *place).draw(epoch)))
            drawn[(*place, epoch)] = np.concatenate(batches).tobytes()
        drawn[(*place, 0)] = order.tobytes()
    assert len(set(drawn.values())) == len(drawn)


@pytest.mark.parametrize("mode", ["distance", "zbl"])
@pytest.mark.parametrize("n_batches", [2, 3])
def test_epochs_of__mean_of_the_minibatches_is_the_loss(mode, n_batches):
    loss = random_loss(random_potential(2, mode=mode), ALL_TERMS, n_blocks=7)
    x = loss.layout.vector()
    full = loss(x)
    plan = BatchPlan(n_batches, loss.n_blocks, 1, 0, 0)
    for epoch in (1, 2):
        samples = [evaluate(x) for evaluate in epochs_of(loss, plan)(epoch)]
        assert np.mean([sample.value for sample in samples]) == pytest.approx(full.value, rel=1e-13)
        gradient = np.mean([sample.gradient for sample in samples], axis=0)
        np.testing.assert_allclose(gradient, full.gradient, rtol=0, atol=1e-12 * np.abs(full.gradient).max())
        assert np.abs(samples[0].gradient - full.gradient).max() > 1e-3 * np.abs(full.gradient).max()


def test_epochs_of__a_minibatch_is_the_loss_of_its_structures():
    potential = random_potential(1)
    structures, neighbors = prepared(random_structures(potential.elements), potential.cutoff)
    weights, settings = random_weights(structures), LossSettings(kappa=0.3, kappa_stress=1.0)
    n = structures.n_structures
    loss = Loss(potential, structures, neighbors, weights, settings, n_blocks=n)
    x = parameter_vector(potential)
    (first, second) = BatchPlan(2, n, 5, 0, 0).draw(1)
    for chosen, evaluate in zip((first, second), epochs_of(loss, BatchPlan(2, n, 5, 0, 0))(1), strict=True):
        part = structures.select(chosen)
        alone = Loss(potential, part, neighbors.select(chosen), weights.select(chosen, structures), settings)(x)
        found = evaluate(x)
        assert found.value == pytest.approx(2.0 * alone.value, rel=1e-12)
        np.testing.assert_allclose(found.gradient, 2.0 * alone.gradient, rtol=0, atol=1e-11 * np.abs(alone.gradient).max())


def test_epochs_of__does_not_depend_on_the_number_of_threads():
    results = []
    for threads in (1, 2, 3):
        loss = random_loss(random_potential(2), ALL_TERMS, threads=threads, n_blocks=9)
        samples = [evaluate(loss.layout.vector()) for evaluate in epochs_of(loss, BatchPlan(2, loss.n_blocks, 1, 0, 0))(1)]
        results.append([(sample.value, sample.gradient.tobytes()) for sample in samples])
    assert results[0] == results[1] == results[2]
