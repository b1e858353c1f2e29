"""Kill and resume: an append-only log of all loss evaluations from which an interrupted minimisation is replayed.

The state of an optimiser that takes the full gradient (for BFGS an n x n matrix) is never stored. After a restart the optimiser
begins again at the same point and its evaluations are answered from the log, in the same order, as long as the point asked for is
the one that was logged. The state is thereby derived again exactly, and what follows is bitwise what an uninterrupted run gives.
Replaying costs only the optimiser's own time.

Minibatches are not logged, as there are too many of them. The state of the optimiser after each epoch is, and a replay takes it
from there, whatever came before; evaluations of the full loss and the records of iterations are replayed as for the others.

File: header, then records. A record is kind (1 byte), payload length (8 bytes), payload, checksum of all that (8 bytes), numbers
little endian. Kind E: digest of x (16 bytes), value, gradient (n doubles), terms (JSON). Kind I: what an iteration left behind
(JSON). Kind S: epoch, number of steps, step length, n, then point and both moments of the gradient (n doubles each).

The file grows by 8 n + about 300 bytes per evaluation and by about 2 kB per iteration: 100 MB for 1000 evaluations of 10000
parameters; with minibatches by another 24 n bytes per iteration. A record that is cut off at the end was being written when the
process died, and is dropped.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from acefit.errors import FitError
from acefit.faults import fault_point
from acefit.fit.adam import AdamState
from acefit.fit.quasi_newton import Vector
from acefit.untrusted import check_regular

MAGIC = b"acefit evaluations 2\n"
DIGEST_BYTES = 16
CHECKSUM_BYTES = 8
RECORD_HEAD = struct.Struct("<cQ")
EVALUATION_HEAD = struct.Struct("<dQ")
STATE_HEAD = struct.Struct("<QQdQ")
EVALUATION, ITERATION, STATE = b"E", b"I", b"S"
SYNC_SECONDS = 1.0
# on a slow file system syncing may take at most this share of the time
SYNC_SHARE = 0.02

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoggedEvaluation:
    """An evaluation read back: everything but the predictions."""

    value: float
    gradient: Vector
    terms: Mapping[str, float]


class Evaluation(Protocol):
    """Evaluation as the loss gives it."""

    @property
    def value(self) -> float:
        """Loss."""
        ...

    @property
    def gradient(self) -> NDArray[np.float64]:
        """Gradient, shape (n,)."""
        ...

    @property
    def terms(self) -> Mapping[str, float]:
        """Contributions to the loss."""
        ...


def content_digest(*parts: Any) -> bytes:
    """Digest of arrays, byte strings, texts and JSON-able settings, in order.

    Parameters
    ----------
    *parts : array, bytes or JSON-able
        Content; arrays enter with dtype and shape.

    Returns
    -------
    bytes
        16 bytes.
    """
    digest = blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        if isinstance(part, np.ndarray):
            head, content = f"array {part.dtype.str} {part.shape}", np.ascontiguousarray(part).tobytes()
        elif isinstance(part, bytes):
            head, content = "bytes", part
        else:
            head, content = "json", json.dumps(part, sort_keys=True).encode()
        digest.update(f"{head} {len(content)}\n".encode())
        digest.update(content)
    return digest.digest()


def point_digest(x: Vector) -> bytes:
    """Digest of the bits of a parameter vector."""
    return blake2b(np.ascontiguousarray(x, dtype="<f8").tobytes(), digest_size=DIGEST_BYTES).digest()


class _Place(NamedTuple):
    """Where the record of an evaluation stands."""

    x_digest: bytes
    offset: int
    size: int


class _StatePlace(NamedTuple):
    """Where the record of a state stands."""

    epoch: int
    offset: int
    size: int


class EvaluationLog:
    """The log of one minimisation, open for replay and then for appending; made by `open`.

    Attributes
    ----------
    path : file
    n_evaluations : number of evaluations an earlier run left
    iterations : what earlier iterations left behind, by iteration number
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.iterations: dict[int, dict[str, Any]] = {}
        self._places: list[_Place] = []
        self._states: list[_StatePlace] = []
        self._iteration_offsets: dict[int, int] = {}
        self._descriptor = descriptor
        self._end = 0
        self._synced = time.monotonic()
        self._sync_seconds = 0.0

    @classmethod
    def open(cls, path: Path, digest: bytes) -> EvaluationLog:
        """Open a log, creating it if there is none that belongs to this fit.

        Parameters
        ----------
        path : Path
            File; its folder must exist. A log with another digest is renamed to `<name>.foreign` and reported, never used.
        digest : bytes
            Digest of everything the minimisation depends on (16 bytes).

        Returns
        -------
        EvaluationLog
            With the records of an earlier run, if any.

        Raises
        ------
        FitError
            Another process writes to the file, or it is no file.
        """
        header = MAGIC + digest
        try:
            check_regular(path)
        except OSError as error:
            raise FitError(f"{error}; remove it, and the fit begins anew") from None
        if path.exists() and not _starts_with(path, header):
            foreign = path.with_name(path.name + ".foreign")
            path.replace(foreign)
            log.warning("%s belongs to other data, settings or code; set aside as %s, starting anew", path, foreign.name)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(descriptor, path)
            found = cls(path, descriptor)
            found._scan(header)
        except BaseException:
            os.close(descriptor)
            raise
        return found

    def __enter__(self) -> EvaluationLog:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def append_evaluation(self, x_digest: bytes, evaluation: Evaluation) -> None:
        """Append an evaluation; on return it survives the end of the process."""
        gradient = np.ascontiguousarray(evaluation.gradient, dtype="<f8")
        terms = json.dumps(dict(evaluation.terms)).encode()
        head = EVALUATION_HEAD.pack(evaluation.value, len(gradient))
        self._append(EVALUATION, x_digest + head + gradient.tobytes() + terms)

    def append_iteration(self, iteration: int, content: dict[str, Any]) -> None:
        """Append what an iteration left behind (JSON-able), so that a replay need not do it again."""
        self.iterations[iteration] = content
        self._append(ITERATION, json.dumps({"iteration": iteration, **content}).encode())

    def append_state(self, epoch: int, state: AdamState) -> None:
        """Append the state of the optimiser at the end of an epoch."""
        arrays = (np.ascontiguousarray(array, dtype="<f8").tobytes() for array in (state.x, state.mean, state.variance))
        head = STATE_HEAD.pack(epoch, state.n_steps, state.rate, len(state.x))
        self._append(STATE, head + b"".join(arrays))

    @property
    def n_evaluations(self) -> int:
        """Number of evaluations an earlier run left."""
        return len(self._places)

    @property
    def n_states(self) -> int:
        """Number of states an earlier run left."""
        return len(self._states)

    def state_epoch(self, index: int) -> int:
        """Epoch of an earlier state."""
        return self._states[index].epoch

    def read_state(self, index: int) -> AdamState:
        """State of an earlier run."""
        place = self._states[index]
        payload = os.pread(self._descriptor, place.size, place.offset + RECORD_HEAD.size)
        _, n_steps, rate, n = STATE_HEAD.unpack_from(payload)
        x, mean, variance = np.frombuffer(payload, dtype="<f8", count=3 * n, offset=STATE_HEAD.size).reshape(3, n).copy()
        return AdamState(x, mean, variance, n_steps, rate)

    def x_digest(self, index: int) -> bytes:
        """Digest of the point of an earlier evaluation."""
        return self._places[index].x_digest

    def read_evaluation(self, index: int) -> LoggedEvaluation:
        """Evaluation of an earlier run; its gradient is read from the file when it is needed."""
        place = self._places[index]
        payload = os.pread(self._descriptor, place.size, place.offset + RECORD_HEAD.size)
        value, n = EVALUATION_HEAD.unpack_from(payload, DIGEST_BYTES)
        begin = DIGEST_BYTES + EVALUATION_HEAD.size
        gradient = np.frombuffer(payload, dtype="<f8", count=n, offset=begin)
        return LoggedEvaluation(value, gradient, json.loads(payload[begin + 8 * n :]))

    def discard_from(self, index: int) -> None:
        """Forget the evaluations from an index on and all that follows them in the file."""
        self._end = self._places[index].offset
        os.ftruncate(self._descriptor, self._end)
        del self._places[index:]
        self._states = [state for state in self._states if state.offset < self._end]
        for iteration in [number for number, offset in self._iteration_offsets.items() if offset > self._end]:
            del self.iterations[iteration], self._iteration_offsets[iteration]

    def close(self) -> None:
        """Write everything to disk and release the file."""
        if self._descriptor >= 0:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, kind: bytes, payload: bytes) -> None:
        record = RECORD_HEAD.pack(kind, len(payload)) + payload
        self._write(record + _checksum(record))
        now = time.monotonic()
        if now - self._synced > max(SYNC_SECONDS, self._sync_seconds / SYNC_SHARE):
            # records are safe from a killed process once written; syncing is for a machine that goes down
            os.fsync(self._descriptor)
            self._synced = time.monotonic()
            self._sync_seconds = self._synced - now

    def _write(self, content: bytes) -> None:
        # in two parts, between which tests let the process die
        half = len(content) // 2
        fault_point(f"{self.path.name}/begin")
        self._write_all(memoryview(content)[:half])
        fault_point(f"{self.path.name}/middle")
        self._write_all(memoryview(content)[half:])
        fault_point(f"{self.path.name}/written")

    def _write_all(self, view: memoryview) -> None:
        while view:
            n_written = os.pwrite(self._descriptor, view, self._end)
            self._end += n_written
            view = view[n_written:]

    def _scan(self, header: bytes) -> None:
        """Find all complete records and cut off the rest."""
        size = os.fstat(self._descriptor).st_size
        if size < len(header):
            os.ftruncate(self._descriptor, 0)
            self._write(header)
            return
        self._end = len(header)
        while (record := self._read_record(self._end)) is not None:
            kind, payload = record
            if kind == EVALUATION:
                self._places.append(_Place(payload[:DIGEST_BYTES], self._end, len(payload)))
            elif kind == STATE:
                self._states.append(_StatePlace(STATE_HEAD.unpack_from(payload)[0], self._end, len(payload)))
            else:
                content = json.loads(payload)
                iteration = content.pop("iteration")
                self.iterations[iteration] = content
                self._iteration_offsets[iteration] = self._end
            self._end += RECORD_HEAD.size + len(payload) + CHECKSUM_BYTES
        if self._end < size:
            log.warning("%s: the last %d bytes are an incomplete record and were dropped", self.path, size - self._end)
            os.ftruncate(self._descriptor, self._end)

    def _read_record(self, offset: int) -> tuple[bytes, bytes] | None:
        """Kind and payload of the record that begins at an offset; None if it is incomplete or damaged."""
        head = os.pread(self._descriptor, RECORD_HEAD.size, offset)
        if len(head) < RECORD_HEAD.size:
            return None
        kind, length = RECORD_HEAD.unpack(head)
        if kind not in (EVALUATION, ITERATION, STATE) or offset + length > os.fstat(self._descriptor).st_size:
            return None
        rest = os.pread(self._descriptor, length + CHECKSUM_BYTES, offset + RECORD_HEAD.size)
        payload, checksum = rest[:length], rest[length:]
        return (kind, payload) if checksum == _checksum(head + payload) and _is_sound(kind, payload) else None


class ReplayedLoss:
    """A loss whose first evaluations are answered from a log, the later ones computed and logged.

    Parameters
    ----------
    loss : callable
        Evaluation at x.
    log : EvaluationLog
        Records of an earlier run and place for the new ones.

    Attributes
    ----------
    n_replayed, n_computed : numbers of evaluations answered from the log and computed
    seconds : wall time of the computed ones
    """

    def __init__(self, loss: Callable[[Vector], Evaluation], log: EvaluationLog) -> None:
        self._loss = loss
        self._log = log
        self._n_logged = log.n_evaluations
        self.n_replayed = 0
        self.n_computed = 0
        self.seconds = 0.0

    @property
    def n_evaluations(self) -> int:
        """Number of evaluations so far, replayed ones included."""
        return self.n_replayed + self.n_computed

    @property
    def is_replaying(self) -> bool:
        """True while evaluations of an earlier run are left."""
        return self.n_replayed < self._n_logged

    def __call__(self, x: Vector) -> Evaluation:
        """Evaluation at x, without predictions if it comes from the log."""
        digest = point_digest(x)
        if self.is_replaying:
            if self._log.x_digest(self.n_replayed) == digest:
                self.n_replayed += 1
                return self._log.read_evaluation(self.n_replayed - 1)
            log.warning(
                "the optimiser took another path at evaluation %d than the interrupted run (other machine or library version?); "
                "the remaining %d logged evaluations are not used",
                self.n_replayed + 1,
                self._n_logged - self.n_replayed,
            )
            self._log.discard_from(self.n_replayed)
            self._n_logged = self.n_replayed
        began = time.perf_counter()
        computed = self._loss(x)
        self.seconds += time.perf_counter() - began
        self.n_computed += 1
        self._log.append_evaluation(digest, computed)
        return computed


class LoggedStates:
    """States after epochs: those an earlier run left first, in their order, the later ones appended to its log.

    An epoch whose full loss was not finite was made again, so it has several states. They are asked for in the order in which
    they were kept, since the evaluations between them are replayed, too.

    Parameters
    ----------
    log : EvaluationLog
        Records of an earlier run and place for the new ones.
    """

    def __init__(self, log: EvaluationLog) -> None:
        self._log = log
        self._n_recalled = 0

    def recall(self, epoch: int) -> AdamState | None:
        """Next state of the earlier run; None if there is no more."""
        if self._n_recalled >= self._log.n_states or self._log.state_epoch(self._n_recalled) != epoch:
            return None
        self._n_recalled += 1
        return self._log.read_state(self._n_recalled - 1)

    def store(self, epoch: int, state: AdamState) -> None:
        """Append a state; on return it survives the end of the process."""
        self._log.append_state(epoch, state)


def _is_sound(kind: bytes, payload: bytes) -> bool:
    """Whether the content of a record is what its kind says; a checksum tells only that it was written so."""
    try:
        if kind == EVALUATION:
            n = EVALUATION_HEAD.unpack_from(payload, DIGEST_BYTES)[1]
            terms = payload[DIGEST_BYTES + EVALUATION_HEAD.size + 8 * n :]
            return isinstance(json.loads(terms), dict)
        if kind == STATE:
            return len(payload) == STATE_HEAD.size + 24 * STATE_HEAD.unpack_from(payload)[3]
        content = json.loads(payload)
        return isinstance(content, dict) and isinstance(content.get("iteration"), int)
    except (struct.error, ValueError, RecursionError):
        return False


def _starts_with(path: Path, header: bytes) -> bool:
    """Say whether a file begins with the header or is a cut-off beginning of it."""
    with path.open("rb") as file:
        found = file.read(len(header))
    return found == header or (len(found) < len(header) and header.startswith(found))


def _lock(descriptor: int, path: Path) -> None:
    """Lock the file for this process; file systems without locks go without."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FitError(f"another process is running this fit (it holds {path}); wait for it or end it first") from None
    except OSError:
        log.debug("%s: the file system offers no locks", path)


def _checksum(content: bytes) -> bytes:
    """Checksum of a record."""
    return blake2b(content, digest_size=CHECKSUM_BYTES).digest()
