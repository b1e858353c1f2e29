"""Early stopping."""

import math

import pytest

from acefit.fit.stopping import EarlyStopping

LOSSES = [0.5771, 0.2734, 0.2688, 0.2653, 0.2568]


def test_early_stopping__stops_when_the_first_drop_has_left_the_window():
    stopping = EarlyStopping(threshold=0.05, patience=4)
    reasons = [stopping.add(loss) for loss in LOSSES]
    assert reasons[:4] == [None] * 4
    assert reasons[4].startswith("early stopping: train loss changed by at most -3.20e-02 per iteration")
    assert stopping.relative_changes() == pytest.approx([-0.0168, -0.0130, -0.0320], abs=5e-5)


def test_early_stopping__sign_of_the_threshold_does_not_matter():
    stopping = EarlyStopping(threshold=-0.05, patience=4)
    assert [stopping.add(loss) is not None for loss in LOSSES] == [False, False, False, False, True]


def test_early_stopping__test_losses_count_per_iteration():
    # two values 20 iterations apart: -0.2 / 20 = -0.01 per iteration
    slow = EarlyStopping(threshold=0.02, patience=20, interval=20, subset="test")
    assert slow.add(1.0) is None
    assert "test loss" in slow.add(0.8)
    fast = EarlyStopping(threshold=0.005, patience=20, interval=20)
    assert [fast.add(1.0), fast.add(0.8)] == [None, None]


def test_early_stopping__off_without_threshold():
    stopping = EarlyStopping(threshold=None, patience=2)
    assert [stopping.add(1.0) for _ in range(10)] == [None] * 10


def test_early_stopping__zero_loss_is_not_an_error():
    stopping = EarlyStopping(threshold=1e-3, patience=2)
    assert stopping.add(0.0) is None
    assert stopping.add(0.0) is None
    assert stopping.relative_changes() == [0.0]
    stopping.add(1.0)
    assert stopping.relative_changes() == [math.inf]
