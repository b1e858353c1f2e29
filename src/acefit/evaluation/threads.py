"""Blocks of work on several threads; the kernels release Python's global lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache

import numba

PARTS_OF_REST = 2
"""A range is the rest of the work divided by this and by the threads: few ranges, and short ones at the end, when all wait."""


@lru_cache(maxsize=8)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Keep one pool per size for the life of the process: starting threads costs more than a small evaluation."""
    return ThreadPoolExecutor(threads, thread_name_prefix="acefit")


def default_threads() -> int:
    """Threads to use when none are asked for: numba's setting, which the workflow sets to the threads of the job."""
    return int(numba.get_num_threads())


def shrinking_ranges(n_blocks: int, threads: int) -> list[tuple[int, int]]:
    """Consecutive ranges that cover all blocks, the later the shorter."""
    ranges, first = [], 0
    while first < n_blocks:
        last = first + max(1, (n_blocks - first) // (PARTS_OF_REST * threads))
        ranges.append((first, last))
        first = last
    return ranges


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
    ranges = iter(shrinking_ranges(n_blocks, threads))

    def work() -> None:
        # each thread takes the next range when it is ready; taking one is a single step under Python's lock
        for first, last in ranges:
            function(first, last)

    jobs = [_pool(threads - 1).submit(work) for _ in range(threads - 1)]
    try:
        work()
    finally:
        wait(jobs)
    for job in jobs:
        job.result()
