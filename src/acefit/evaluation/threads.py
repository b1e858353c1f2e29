"""Blocks of work on several threads; the kernels release Python's global lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from acefit.kernels.turns import all_blocks


@lru_cache(maxsize=8)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Keep one pool per size for the life of the process: starting threads costs more than a small evaluation."""
    return ThreadPoolExecutor(threads, thread_name_prefix="acefit")


def default_threads() -> int:
    """Threads to use when none are asked for: numba's setting, which the workflow sets to the threads of the job."""
    return int(numba.get_num_threads())


def run_blocks(function: Callable[[NDArray[np.int64]], None], n_blocks: int, threads: int | None = None) -> None:
    """Call function(turns) in each thread; it takes blocks from the turns until none is left (see `acefit.kernels.turns`).

    Which thread takes which block is left to chance; what is computed for a block must not depend on it.

    Raises
    ------
    ValueError
        If the number of threads is less than 1.
    """
    if threads is None:
        threads = default_threads()
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    turns = all_blocks(n_blocks)
    others = min(threads, max(n_blocks, 1)) - 1
    if not others:
        function(turns)
        return
    jobs = [_pool(others).submit(function, turns) for _ in range(others)]
    try:
        function(turns)
    finally:
        wait(jobs)
    for job in jobs:
        job.result()
