import numpy as np

from acefit.evaluation.threads import run_blocks
from acefit.kernels import _jit
from acefit.kernels._jit import driver
from acefit.kernels.turns import all_blocks, take


@driver
def take_all(turns, taken):
    block = take(turns)
    n = 0
    while block >= 0:
        taken[block] += 1
        n += 1
        block = take(turns)
    return n


def test_take__goes_through_all_blocks_and_then_gives_minus_one():
    turns = all_blocks(3)
    assert [take(turns) for _ in range(5)] == [0, 1, 2, -1, -1]


def test_take__of_nothing():
    assert take(all_blocks(0)) == -1


def test_take__gives_a_range_from_any_block_on():
    turns = np.array([5, 7])
    assert [take(turns) for _ in range(3)] == [5, 6, -1]


def test_take__gives_each_block_to_one_thread_only():
    n_blocks = 1000 if _jit._IS_OFF else 2_000_000
    taken, shares = np.zeros(n_blocks, dtype=np.int64), []
    run_blocks(lambda turns: shares.append(take_all(turns, taken)), n_blocks, 4)
    assert (taken == 1).all()
    assert sum(shares) == n_blocks
