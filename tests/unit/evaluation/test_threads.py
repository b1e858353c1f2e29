import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from acefit.evaluation.threads import default_threads, run_blocks, run_blocks_beside
from acefit.kernels.turns import take


def blocks_taken(turns):
    while (block := take(turns)) >= 0:
        yield block


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("n_blocks", [0, 1, 2, 7, 64])
def test_run_blocks__covers_every_block_once(n_blocks, threads):
    done, lock = [], threading.Lock()

    def work(turns):
        for block in blocks_taken(turns):
            with lock:
                done.append(block)

    run_blocks(work, n_blocks, threads)
    assert sorted(done) == list(range(n_blocks))


def test_run_blocks__uses_no_other_thread_for_one():
    names = []
    run_blocks(lambda turns: names.append(threading.current_thread()), 5, 1)
    assert names == [threading.current_thread()]


def test_run_blocks__works_in_as_many_threads_as_asked_for():
    barrier = threading.Barrier(3, timeout=60)
    run_blocks(lambda turns: barrier.wait(), 5, 3)


def test_run_blocks__starts_no_thread_that_would_find_nothing():
    names = []
    run_blocks(lambda turns: names.append(threading.current_thread()), 2, 8)
    assert len(names) == 2


def test_run_blocks__passes_errors_on():
    def work(turns):
        raise ValueError(f"block {take(turns)}")

    with pytest.raises(ValueError, match="block"):
        run_blocks(work, 8, 2)


def test_run_blocks__waits_for_the_other_threads_before_it_passes_an_error_on():
    ended = []

    def work(turns):
        if threading.current_thread() is threading.main_thread():
            raise ValueError("here")
        ended.extend(blocks_taken(turns))

    with pytest.raises(ValueError, match="here"):
        run_blocks(work, 1000, 2)
    assert len(ended) == 1000


def test_run_blocks__passes_errors_of_the_other_threads_on():
    def work(turns):
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("there")

    for _ in range(3):
        with pytest.raises(ValueError, match="there"):
            run_blocks(work, 8, 3)
    run_blocks(lambda turns: None, 8, 3)


def test_run_blocks__of_several_callers_do_not_mix():
    """Each caller's blocks are done when its call returns, though the callers share the other threads."""

    def call(n_blocks):
        done = []
        run_blocks(lambda turns: done.extend(blocks_taken(turns)), n_blocks, 3)
        return sorted(done) == list(range(n_blocks))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(call, range(3, 60)))


@pytest.mark.parametrize("threads", [1, 2])
def test_run_blocks_beside__does_other_work_in_this_thread_while_the_others_are_at_theirs(threads):
    begun, ended = threading.Event(), threading.Event()

    def work(turns):
        if threading.current_thread() is not threading.main_thread():
            begun.set()
            assert ended.wait(60)

    def other():
        assert threads == 1 or begun.wait(60)
        ended.set()
        return threading.current_thread()

    assert run_blocks_beside(work, 4, other, threads) is threading.main_thread()


def test_run_blocks_beside__passes_an_error_of_the_other_work_on_when_all_blocks_are_done():
    done = []

    def fail():
        raise ValueError("beside")

    with pytest.raises(ValueError, match="beside"):
        run_blocks_beside(lambda turns: done.extend(blocks_taken(turns)), 100, fail, 2)
    assert sorted(done) == list(range(100))


@pytest.mark.parametrize("threads", [0, -1])
def test_run_blocks__needs_a_thread(threads):
    with pytest.raises(ValueError, match="threads must be at least 1"):
        run_blocks(lambda turns: None, 5, threads)


def test_default_threads__is_positive():
    assert default_threads() >= 1
