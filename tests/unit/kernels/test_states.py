"""Gradients where not all groups of a block have a place for what the first pass leaves: the same to the last bit."""

import numpy as np
import pytest

from acefit.basis.compiled import compile_potential
from acefit.fit.loss import LossSettings
from acefit.kernels import states
from acefit.kernels._jit import LANES
from gradients import random_loss
from models import MODES, random_potential

SETTINGS = LossSettings(kappa=0.4, kappa_stress=1.0)


def bytes_of_a_place(potential):
    return states.make_room(compile_potential(potential).shape, 1).nbytes


@pytest.mark.parametrize("n_elements", [1, 2, 3])
def test_make_room__has_a_place_for_each_group_within_the_limit(n_elements, monkeypatch):
    potential = random_potential(n_elements)
    shape = compile_potential(potential).shape
    one = bytes_of_a_place(potential)
    assert states.make_room(shape, 7).shape[0] == 7
    assert states.make_room(shape, 7).nbytes == 7 * one
    monkeypatch.setattr(states, "ROOM_BYTES", 3 * one)
    assert states.make_room(shape, 2).shape[0] == 2
    assert states.make_room(shape, 7).shape[0] == 3
    monkeypatch.setattr(states, "ROOM_BYTES", one - 1)
    assert states.make_room(shape, 7).shape[0] == 1
    assert states.make_room(shape, 0).shape[0] == 1
    assert states.make_room(shape, 7).shape[2] == LANES


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("places", [1, 2, 3])
def test_gradient__does_not_depend_on_the_number_of_places(mode, places, monkeypatch):
    potential = random_potential(2, mode=mode)
    loss = random_loss(potential, SETTINGS, n_blocks=1)
    layout = loss._batch.layout
    assert np.diff(layout.block_groups).max() > 3
    x = loss.layout.vector()
    expected = loss(x)
    monkeypatch.setattr(states, "ROOM_BYTES", places * bytes_of_a_place(potential))
    found = random_loss(potential, SETTINGS, n_blocks=1)(x)
    assert found.value == expected.value
    np.testing.assert_array_equal(found.gradient, expected.gradient)


def test_gradient__takes_nothing_from_an_evaluation_before():
    loss = random_loss(random_potential(2), SETTINGS)
    x = loss.layout.vector()
    expected = loss(x)
    loss(1.5 * x)
    loss(0.5 * x, with_gradient=False)
    np.testing.assert_array_equal(loss(x).gradient, expected.gradient)
