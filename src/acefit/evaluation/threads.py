"""Blocks of work on several threads; the kernels release Python's global lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise

import numba

CHUNKS_PER_THREAD = 4
"""Ranges handed to each thread, so that a slow one holds up little."""


@lru_cache(maxsize=8)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Keep one pool per size for the life of the process: starting threads costs more than a small evaluation."""
    return ThreadPoolExecutor(threads, thread_name_prefix="acefit")


def default_threads() -> int:
    """Threads to use when none are asked for: numba's setting, which the workflow sets to the threads of the job."""
    return int(numba.get_num_threads())


def run_blocks(function: Callable[[int, int], None], n_blocks: int, threads: int | None = None) -> None:
    """Call function(first, last) for consecutive ranges that cover all blocks.

    The ranges depend on the number of threads; what is computed for each block must not.

    Raises
    ------
    ValueError
        If the number of threads is less than 1.
    """
    if threads is None:
        threads = default_threads()
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    threads = min(threads, max(n_blocks, 1))
    if threads == 1:
        function(0, n_blocks)
        return
    n_chunks = min(n_blocks, threads * CHUNKS_PER_THREAD)
    bounds = [n_blocks * k // n_chunks for k in range(n_chunks + 1)]
    jobs = [_pool(threads).submit(function, a, b) for a, b in pairwise(bounds)]
    for job in jobs:
        job.result()
