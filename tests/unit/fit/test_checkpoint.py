"""The log of evaluations and what is replayed from it."""

import logging

import numpy as np
import pytest

from acefit.errors import FitError
from acefit.fit.adam import AdamState
from acefit.fit.checkpoint import (
    EVALUATION,
    ITERATION,
    MAGIC,
    RECORD_HEAD,
    STATE,
    EvaluationLog,
    LoggedStates,
    ReplayedLoss,
    _checksum,
    content_digest,
    point_digest,
)
from acefit.fit.optimizers import minimize
from standins import AnalyticLoss, small_data

DIGEST = content_digest("this fit")
X0 = np.array([-1.2, 1.0, 0.5, 0.1])


def fit(folder, maxiter=20, digest=DIGEST, x0=X0):
    """One run: result, number of computed and of replayed evaluations."""
    with EvaluationLog.open(folder / "evaluations.log", digest) as log:
        loss = ReplayedLoss(AnalyticLoss(small_data(1)), log)
        found = minimize(loss, x0, maxiter=maxiter)
    return found, loss


def test_replay__continues_to_bitwise_the_same_point(tmp_path):
    reference, _ = fit(tmp_path, maxiter=40)
    (tmp_path / "evaluations.log").unlink()
    first, _ = fit(tmp_path, maxiter=15)
    second, loss = fit(tmp_path, maxiter=40)
    assert loss.n_replayed == first.evaluations
    assert loss.n_computed == reference.evaluations - first.evaluations
    np.testing.assert_array_equal(second.x, reference.x)
    assert (second.value, second.iterations, second.reason) == (reference.value, reference.iterations, reference.reason)


@pytest.mark.parametrize("lost", [1, 7, 40, 150])
def test_open__drops_a_torn_record_and_goes_on(tmp_path, caplog, lost):
    reference, _ = fit(tmp_path)
    path = tmp_path / "evaluations.log"
    content = path.read_bytes()
    path.write_bytes(content[:-lost])
    with caplog.at_level(logging.WARNING):
        second, loss = fit(tmp_path)
    assert "are an incomplete record and were dropped" in caplog.text
    assert loss.n_computed == 1 + lost // 100
    np.testing.assert_array_equal(second.x, reference.x)
    assert path.read_bytes() == content


def test_open__ends_at_a_damaged_record(tmp_path, caplog):
    reference, _ = fit(tmp_path)
    path = tmp_path / "evaluations.log"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    second, loss = fit(tmp_path)
    assert 0 < loss.n_replayed < reference.evaluations
    np.testing.assert_array_equal(second.x, reference.x)


def test_open__header_cut_off_counts_as_empty(tmp_path):
    reference, _ = fit(tmp_path)
    path = tmp_path / "evaluations.log"
    path.write_bytes(path.read_bytes()[:10])
    _, loss = fit(tmp_path)
    assert loss.n_computed == reference.evaluations


def test_open__foreign_log_is_set_aside_and_never_used(tmp_path, caplog):
    fit(tmp_path)
    before = (tmp_path / "evaluations.log").read_bytes()
    with caplog.at_level(logging.WARNING):
        _, loss = fit(tmp_path, digest=content_digest("another fit"))
    assert loss.n_replayed == 0
    assert "belongs to other data, settings or code; set aside as evaluations.log.foreign" in caplog.text
    assert (tmp_path / "evaluations.log.foreign").read_bytes() == before


def test_replay__another_path_discards_the_rest(tmp_path, caplog):
    fit(tmp_path)
    with caplog.at_level(logging.WARNING):
        second, loss = fit(tmp_path, x0=X0 + 1e-9)
    assert "took another path at evaluation 1 than the interrupted run" in caplog.text
    assert loss.n_replayed == 0
    assert loss.n_computed == second.evaluations
    _, third = fit(tmp_path, x0=X0 + 1e-9)
    assert third.n_computed == 0


def test_open__two_processes_cannot_share_a_log(tmp_path):
    path = tmp_path / "evaluations.log"
    with EvaluationLog.open(path, DIGEST), pytest.raises(FitError, match="another process is running this fit"):
        EvaluationLog.open(path, DIGEST)


def test_iterations__are_kept_and_discarded_with_the_evaluations_before_them(tmp_path):
    path = tmp_path / "evaluations.log"
    loss = AnalyticLoss(small_data(1))
    with EvaluationLog.open(path, DIGEST) as log:
        for k in range(3):
            log.append_evaluation(point_digest(X0 + k), loss(X0 + k))
            log.append_iteration(k, {"rows": [{"loss": float("nan"), "iter_num": k}], "stop": None})
    with EvaluationLog.open(path, DIGEST) as log:
        assert sorted(log.iterations) == [0, 1, 2]
        assert log.iterations[2]["rows"][0]["iter_num"] == 2
        assert log.n_evaluations == 3
        np.testing.assert_array_equal(log.read_evaluation(1).gradient, loss(X0 + 1).gradient)
        assert log.read_evaluation(1).terms == loss(X0 + 1).terms
        log.discard_from(1)
        assert sorted(log.iterations) == [0]
    with EvaluationLog.open(path, DIGEST) as log:
        assert (sorted(log.iterations), log.n_evaluations) == ([0], 1)


def test_size__is_bounded_as_documented(tmp_path):
    found, _ = fit(tmp_path)
    assert (tmp_path / "evaluations.log").stat().st_size < found.evaluations * (8 * len(X0) + 300)


def test_content_digest__tells_content_apart():
    parts = [np.zeros(4), np.zeros((2, 2)), np.zeros(4, dtype=np.float32), b"ab", "ab", ["ab"], {"a": 1, "b": 2}, 1, 1.0]
    assert len({content_digest(part) for part in parts}) == len(parts)
    assert content_digest({"a": 1, "b": 2}) == content_digest({"b": 2, "a": 1})
    assert content_digest("a", "bc") != content_digest("ab", "c")


def state(k):
    return AdamState(X0 + k, 0.1 * X0 + k, X0**2, 3 * k, 0.5**k)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def write_states(path, epochs):
    loss = AnalyticLoss(small_data(1))
    with EvaluationLog.open(path, DIGEST) as log:
        states = LoggedStates(log)
        for k, epoch in enumerate(epochs):
            states.store(epoch, state(k))
            log.append_evaluation(point_digest(X0 + k), loss(X0 + k))
            log.append_iteration(epoch, {"rows": [], "stop": None})


def test_states__are_recalled_in_their_order(tmp_path):
    path = tmp_path / "evaluations.log"
    write_states(path, [1, 1, 2])
    with EvaluationLog.open(path, DIGEST) as log:
        states = LoggedStates(log)
        assert states.recall(2) is None
        for k, epoch in enumerate([1, 1, 2]):
            assert_same(states.recall(epoch), state(k))
        assert states.recall(2) is None
        assert states.recall(3) is None
        states.store(3, state(3))
        assert states.recall(3) is None
    with EvaluationLog.open(path, DIGEST) as log:
        assert [log.state_epoch(k) for k in range(log.n_states)] == [1, 1, 2, 3]
        assert_same(log.read_state(3), state(3))


def test_states__are_discarded_with_the_evaluations_before_them(tmp_path):
    path = tmp_path / "evaluations.log"
    write_states(path, [1, 2, 3])
    with EvaluationLog.open(path, DIGEST) as log:
        log.discard_from(1)
        # the second state stands before the second evaluation
        assert (log.n_states, log.n_evaluations, sorted(log.iterations)) == (2, 1, [1])
    with EvaluationLog.open(path, DIGEST) as log:
        assert (log.n_states, log.n_evaluations, sorted(log.iterations)) == (2, 1, [1])


def test_states__torn_record_is_dropped(tmp_path):
    path = tmp_path / "evaluations.log"
    with EvaluationLog.open(path, DIGEST) as log:
        LoggedStates(log).store(1, state(1))
        LoggedStates(log).store(2, state(2))
    path.write_bytes(path.read_bytes()[:-5])
    with EvaluationLog.open(path, DIGEST) as log:
        assert (log.n_states, log.state_epoch(0)) == (1, 1)


def test_open__log_of_an_earlier_format_is_set_aside(tmp_path, caplog):
    path = tmp_path / "evaluations.log"
    path.write_bytes(b"acefit evaluations 1\n" + DIGEST)
    with caplog.at_level(logging.WARNING), EvaluationLog.open(path, DIGEST) as log:
        assert log.n_evaluations == 0
    assert "set aside" in caplog.text


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (EVALUATION, b""),
        (EVALUATION, b"x" * 24 + b"\xff" * 8 + b"{}"),
        (EVALUATION, b"x" * 24 + b"\0" * 8 + b"[]"),
        (ITERATION, b"{"),
        (ITERATION, b"[1]"),
        (ITERATION, b"{}"),
        (ITERATION, b"[" * 10**5),
        (STATE, b""),
        (STATE, b"\xff" * 32),
    ],
)
def test_open__drops_records_that_are_not_what_their_kind_says(tmp_path, kind, payload):
    path = tmp_path / "evaluations.log"
    record = RECORD_HEAD.pack(kind, len(payload)) + payload
    path.write_bytes(MAGIC + DIGEST + record + _checksum(record))
    with EvaluationLog.open(path, DIGEST) as log:
        assert (log.n_evaluations, log.n_states, log.iterations) == (0, 0, {})
    assert path.read_bytes() == MAGIC + DIGEST


def test_open__refuses_folders_and_pipes(tmp_path):
    with pytest.raises(FitError, match="is a folder, a pipe or a device, not a file; remove it"):
        EvaluationLog.open(tmp_path, DIGEST)
