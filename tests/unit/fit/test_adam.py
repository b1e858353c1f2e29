"""Adam."""

import math

import numpy as np

from acefit.fit.adam import AdamOptions, AdamState, minimize_adam


def test_minimize_adam__first_step_has_the_length_of_the_rate():
    accepted = []
    minimize_adam(
        lambda x: (float(x @ x), 2.0 * x),
        np.array([3.0, -5.0]),
        maxiter=1,
        options=AdamOptions(learning_rate=0.25),
        accept=accepted.append,
    )
    np.testing.assert_allclose(accepted[0], [2.75, -4.75], rtol=1e-8)


def test_minimize_adam__steps_decay():
    accepted = [np.zeros(1)]
    minimize_adam(
        lambda x: (float(x[0]), np.ones(1)),
        np.zeros(1),
        maxiter=3,
        options=AdamOptions(learning_rate=1.0, decay=1.0),
        accept=accepted.append,
    )
    np.testing.assert_allclose(np.diff(np.ravel(accepted)), [-1.0, -1.0 / 2.0, -1.0 / 3.0], rtol=1e-6)


def test_minimize_adam__halves_the_rate_where_the_loss_is_not_finite():
    values = []

    def evaluate(x):
        values.append(x[0])
        return (math.nan if x[0] < -0.3 else float(x[0])), np.ones(1)

    found = minimize_adam(evaluate, np.zeros(1), maxiter=1, options=AdamOptions(learning_rate=1.0), accept=lambda x: None)
    np.testing.assert_allclose(values, [0.0, -1.0, -0.5, -0.25], rtol=1e-6)
    assert found.reason == "maxiter reached"


def test_minimize_adam__ends_where_the_gradient_vanishes():
    found = minimize_adam(lambda x: (0.0, np.zeros(1)), np.ones(1), maxiter=5, options=AdamOptions(), accept=lambda x: None)
    assert (found.reason, found.iterations) == ("converged: gradient below gtol", 0)


# ---------------------------------------------------------------- epochs of minibatches

TARGETS = np.array([[1.0, -2.0], [3.0, 0.5], [-1.0, 0.0]])


def whole(x):
    return float(np.mean((x - TARGETS) ** 2)), 2.0 * np.mean(x - TARGETS, axis=0)


def epochs(number):
    """One minibatch per target, rotated from epoch to epoch."""
    order = np.roll(np.arange(3), number)
    return [lambda x, k=k: (float(np.mean((x - TARGETS[k]) ** 2)), 2.0 * (x - TARGETS[k])) for k in order]


class Memory:
    """States of epochs 1, 2, ...; those of an earlier run are recalled in their order."""

    def __init__(self, earlier=()):
        self.earlier, self.stored = list(earlier), []

    def recall(self, epoch):
        return self.earlier.pop(0)[1] if self.earlier and self.earlier[0][0] == epoch else None

    def store(self, epoch, state):
        self.stored.append((epoch, state))


def descend(maxiter, memory=None, evaluate=whole, epochs=epochs, accept=lambda x: None, **options):
    options = AdamOptions(**{"learning_rate": 0.1, **options})
    return minimize_adam(evaluate, np.zeros(2), maxiter=maxiter, options=options, accept=accept, epochs=epochs, memory=memory)


def test_minimize_adam__steps_once_per_minibatch_and_accepts_once_per_epoch():
    accepted, memory = [], Memory()
    found = descend(4, memory, accept=accepted.append)
    assert (found.iterations, len(accepted)) == (4, 4)
    assert [epoch for epoch, _ in memory.stored] == [1, 2, 3, 4]
    assert [state.n_steps for _, state in memory.stored] == [3, 6, 9, 12]
    for x, (_, state) in zip(accepted, memory.stored, strict=True):
        np.testing.assert_array_equal(x, state.x)


def test_minimize_adam__minibatches_with_a_falling_step_reach_the_minimum_of_the_whole():
    found = descend(400, decay=0.05, beta_2=0.99)
    np.testing.assert_allclose(found.x, TARGETS.mean(axis=0), atol=2e-3)


def test_minimize_adam__one_minibatch_of_everything_is_the_full_gradient():
    np.testing.assert_array_equal(descend(7, epochs=lambda epoch: [whole]).x, descend(7, epochs=None).x)


def test_minimize_adam__an_epoch_depends_on_the_state_and_its_number_only():
    memory = Memory()
    reference = descend(6, memory)
    for known in range(7):
        rest = Memory(memory.stored[:known])
        found = descend(6, rest)
        np.testing.assert_array_equal(found.x, reference.x)
        assert [epoch for epoch, _ in rest.stored] == list(range(known + 1, 7))


def test_minimize_adam__epoch_with_a_bad_minibatch_is_made_again_with_half_the_step():
    asked = []

    def walled(number):
        def guard(evaluate):
            def limited(x):
                asked.append((number, x.copy()))
                return (math.nan, np.full(2, math.nan)) if np.abs(x).max() > 0.08 else evaluate(x)

            return limited

        return [guard(evaluate) for evaluate in epochs(number)]

    memory = Memory()
    descend(1, memory, epochs=walled)
    # a step of 0.1 leads beyond the wall at the second minibatch, 0.05 does not; the second attempt begins where the first did
    assert [number for number, _ in asked] == [1] * 5
    np.testing.assert_array_equal(asked[2][1], 0.0)
    assert [(epoch, state.rate, state.n_steps) for epoch, state in memory.stored] == [(1, 0.05, 3)]


def test_minimize_adam__epoch_that_ends_at_a_bad_loss_is_made_again_and_so_is_its_replay():
    def walled(x):
        return (math.inf, np.zeros(2)) if np.abs(x).max() > 0.1 else whole(x)

    memory = Memory()
    found = descend(3, memory, walled)
    rates = [(epoch, state.rate) for epoch, state in memory.stored]
    assert rates[:3] == [(1, 0.1), (1, 0.05), (2, 0.05)]
    assert np.abs(found.x).max() <= 0.1
    for known in range(len(rates) + 1):
        np.testing.assert_array_equal(descend(3, Memory(memory.stored[:known]), walled).x, found.x)


def test_minimize_adam__stops_at_the_full_gradient_not_at_that_of_a_minibatch():
    mean = TARGETS.mean(axis=0)
    options = AdamOptions(gtol=1e-12)
    found = minimize_adam(whole, mean, maxiter=3, options=options, accept=lambda x: None, epochs=epochs)
    assert (found.reason, found.iterations) == ("converged: gradient below gtol", 0)


def test_minimize_adam__callback_stops_after_an_epoch():
    def stop(x):
        raise StopIteration("enough")

    assert descend(5, accept=stop)[1:] == ("enough", False, 1)


def test_adam_state__is_what_the_memory_keeps():
    assert AdamState._fields == ("x", "mean", "variance", "n_steps", "rate")
