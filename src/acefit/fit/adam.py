"""Adam with a decaying step, on minibatches or on the full gradient.

One iteration is one *epoch*: a step for each minibatch, in an order that depends on the number of the epoch only. What an epoch
does therefore depends on the state it starts from and on nothing that ran before, so the state after each epoch is all that has
to be kept for going on after an interruption. With the full gradient an epoch is a single step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import numpy as np

from acefit.fit.quasi_newton import Outcome, Vector

Evaluate = Callable[[Vector], tuple[float, Vector]]
Epochs = Callable[[int], Iterable[Evaluate]]
"""Estimates of loss and gradient, one per minibatch, of the epoch with a number (from 1)."""


class AdamOptions(NamedTuple):
    """Options of Adam.

    Attributes
    ----------
    learning_rate : first step length, in units of the parameters
    decay : the steps of iteration t are learning_rate / (1 + decay (t - 1)) long
    beta_1, beta_2 : memory of the first and second moment of the gradient
    epsilon : added to the root of the second moment
    gtol : converged when no component of the full gradient exceeds it
    batch_size : structures per step, for those who draw the minibatches (`acefit.fit.minibatches`)
    """

    learning_rate: float = 1e-3
    decay: float = 0.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    gtol: float = 1e-8
    batch_size: int = 32


class AdamState(NamedTuple):
    """Everything the next epoch depends on besides its number.

    Attributes
    ----------
    x : (n,) point
    mean, variance : (n,) moments of the gradient, not corrected for their start from zero
    n_steps : steps so far
    rate : step length without decay, halved at each epoch that had to be made again
    """

    x: Vector
    mean: Vector
    variance: Vector
    n_steps: int
    rate: float


class StateMemory(Protocol):
    """Remembers where the epochs of an interrupted run ended; asked before each epoch is walked, told after it."""

    def recall(self, epoch: int) -> AdamState | None:
        """State at the end of an epoch of an earlier run, None if there is none."""
        ...

    def store(self, epoch: int, state: AdamState) -> None:
        """Keep the state at the end of an epoch."""
        ...


def minimize_adam(
    evaluate: Evaluate,
    x0: Vector,
    *,
    maxiter: int,
    options: AdamOptions,
    accept: Callable[[Vector], None],
    epochs: Epochs | None = None,
    memory: StateMemory | None = None,
) -> Outcome:
    """Minimise by Adam; one evaluation of the full loss per iteration, besides those of the minibatches.

    An epoch in which a loss is not finite, that of a minibatch or the full one at its end, is made again from its start with half
    the step length, which stays so.

    Parameters
    ----------
    evaluate : callable
        Value and gradient (n,) at x (n,).
    x0 : float64, shape (n,)
        Start, where value and gradient are finite.
    maxiter : int
        Number of iterations.
    options : AdamOptions
        Step length and memory.
    accept : callable
        Called with each accepted point; StopIteration ends the minimisation there.
    epochs : callable or None
        Minibatches of each epoch; None: each epoch is one step along the full gradient.
    memory : StateMemory or None
        Where the states after epochs of minibatches are kept.

    Returns
    -------
    Outcome

    References
    ----------
    Kingma and Ba, arXiv:1412.6980 (2015), algorithm 1.
    """
    state = AdamState(x0.copy(), np.zeros_like(x0), np.zeros_like(x0), 0, options.learning_rate)
    _, gradient = evaluate(state.x)
    for iteration in range(1, maxiter + 1):
        if np.max(np.abs(gradient)) <= options.gtol:
            return Outcome(state.x, "converged: gradient below gtol", True, iteration - 1)
        batches = _full_gradient(gradient) if epochs is None else epochs
        state, gradient = _advance(evaluate, state, iteration, options, batches, memory)
        try:
            accept(state.x)
        except StopIteration as stop:
            return Outcome(state.x, str(stop) or "stopped by callback", False, iteration)
    if np.max(np.abs(gradient)) <= options.gtol:
        return Outcome(state.x, "converged: gradient below gtol", True, maxiter)
    return Outcome(state.x, "maxiter reached", False, maxiter)


def _full_gradient(gradient: Vector) -> Epochs:
    """The gradient of all structures, which is known at the start of an epoch, as its only minibatch."""
    return lambda epoch: [lambda x: (0.0, gradient)]


def _advance(
    evaluate: Evaluate, start: AdamState, epoch: int, options: AdamOptions, epochs: Epochs, memory: StateMemory | None
) -> tuple[AdamState, Vector]:
    """State after an epoch and the full gradient there, with the largest step length at which all losses are finite."""
    while True:
        state = None if memory is None else memory.recall(epoch)
        if state is None:
            state = _walk(start, epoch, options, epochs)
            if state is None:
                start = start._replace(rate=0.5 * start.rate)
                continue
            if memory is not None:
                # kept even if the full loss turns out not to be finite, because the log holds that evaluation, too
                memory.store(epoch, state)
        value, gradient = evaluate(state.x)
        if math.isfinite(value):
            return state, gradient
        start = start._replace(rate=0.5 * state.rate)


def _walk(start: AdamState, epoch: int, options: AdamOptions, epochs: Epochs) -> AdamState | None:
    """State after one step per minibatch; None if the loss of one of them is not finite."""
    state = start
    step_length = start.rate / (1.0 + options.decay * (epoch - 1))
    for evaluate in epochs(epoch):
        value, gradient = evaluate(state.x)
        if not math.isfinite(value):
            return None
        state = _step(state, gradient, step_length, options)
    return state


def _step(state: AdamState, gradient: Vector, step_length: float, options: AdamOptions) -> AdamState:
    """State after one step."""
    n_steps = state.n_steps + 1
    mean = options.beta_1 * state.mean + (1.0 - options.beta_1) * gradient
    variance = options.beta_2 * state.variance + (1.0 - options.beta_2) * gradient**2
    direction = (mean / (1.0 - options.beta_1**n_steps)) / (np.sqrt(variance / (1.0 - options.beta_2**n_steps)) + options.epsilon)
    return AdamState(state.x - step_length * direction, mean, variance, n_steps, state.rate)
