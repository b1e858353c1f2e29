"""Blocks of work on several threads; the kernels release Python's global lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from queue import SimpleQueue
from typing import TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from acefit.kernels.turns import all_blocks

Work = Callable[[NDArray[np.int64]], None]
Ends = SimpleQueue[BaseException | None]
Jobs = SimpleQueue[tuple[Work, NDArray[np.int64], Ends]]
T = TypeVar("T")


def default_threads() -> int:
    """Threads to use when none are asked for: numba's setting, which the workflow sets to the threads of the job."""
    return int(numba.get_num_threads())


def _serve(jobs: Jobs) -> None:
    """Do jobs as they come, and report the end of each with its error."""
    while True:
        function, turns, ends = jobs.get()
        error = None
        try:
            function(turns)
        except BaseException as raised:
            error = raised
        ends.put(error)
        # nothing is kept alive while waiting
        del function, turns, ends, error


@lru_cache(maxsize=8)
def _crew(threads: int) -> Jobs:
    """Queue that some threads serve, kept for the life of the process: starting threads costs more than a small evaluation.

    Two such queues hand a job over in a third of the time that an executor of the standard library takes.
    """
    jobs: Jobs = SimpleQueue()
    for k in range(threads):
        threading.Thread(target=_serve, args=(jobs,), name=f"acefit_{k}", daemon=True).start()
    return jobs


def run_blocks(function: Work, n_blocks: int, threads: int | None = None) -> None:
    """Call function(turns) in each thread; it takes blocks from the turns until none is left (see `acefit.kernels.turns`).

    Which thread takes which block is left to chance; what is computed for a block must not depend on it.

    Raises
    ------
    ValueError
        If the number of threads is less than 1.
    """
    run_blocks_beside(function, n_blocks, lambda: None, threads)


def run_blocks_beside(function: Work, n_blocks: int, other: Callable[[], T], threads: int | None = None) -> T:
    """`run_blocks`, and the result of some other work that this thread does before it waits for the others.

    Raises
    ------
    ValueError
        If the number of threads is less than 1.
    """
    if threads is None:
        threads = default_threads()
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    turns, ends = all_blocks(n_blocks), Ends()
    others = min(threads, max(n_blocks, 1)) - 1
    for _ in range(others):
        _crew(others).put((function, turns, ends))
    try:
        function(turns)
        result = other()
    finally:
        errors = [ends.get() for _ in range(others)]
    for error in errors:
        if error is not None:
            raise error
    return result
