"""Blocks of work that several threads share: each thread takes the next one as soon as it is ready for it."""

import threading
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config as _config
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from acefit.kernels._jit import kernel

config: Any = _config

_LOCK = threading.Lock()


def all_blocks(n_blocks: int) -> np.ndarray:
    """Turns (2,) of n_blocks blocks: the next block, and the number of blocks."""
    return np.array([0, n_blocks], dtype=np.int64)


def _fetch(typingctx, turns):
    """Entry 0 of turns, which is increased by one in the same step, whatever other threads do."""

    def generate(context, builder, sig, args):
        pointer = make_array(sig.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", pointer, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(turns), generate


def _fetch_under_lock(turns):
    """The same in Python."""
    with _LOCK:
        turns[0] += 1
        return int(turns[0]) - 1


_next: Any = _fetch_under_lock if config.DISABLE_JIT else intrinsic(_fetch)


@kernel
def take(turns):
    """Take the next block of `all_blocks`; -1 when none is left."""
    block = _next(turns)
    return block if block < turns[1] else -1
