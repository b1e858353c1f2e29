import threading

import pytest

from acefit.evaluation.threads import default_threads, run_blocks, shrinking_ranges


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("n_blocks", [0, 1, 2, 7, 64])
def test_run_blocks__covers_every_block_once(n_blocks, threads):
    done, lock = [], threading.Lock()

    def work(first, last):
        with lock:
            done.extend(range(first, last))

    run_blocks(work, n_blocks, threads)
    assert sorted(done) == list(range(n_blocks))


def test_run_blocks__uses_no_other_thread_for_one():
    names = []
    run_blocks(lambda first, last: names.append(threading.current_thread()), 5, 1)
    assert names == [threading.current_thread()]


def test_run_blocks__passes_errors_on():
    def work(first, last):
        raise ValueError(f"block {first}")

    with pytest.raises(ValueError, match="block 0"):
        run_blocks(work, 8, 2)


@pytest.mark.parametrize("threads", [0, -1])
def test_run_blocks__needs_a_thread(threads):
    with pytest.raises(ValueError, match="threads must be at least 1"):
        run_blocks(lambda first, last: None, 5, threads)


def test_default_threads__is_positive():
    assert default_threads() >= 1


@pytest.mark.parametrize(("n_blocks", "threads"), [(0, 2), (1, 2), (15, 2), (64, 2), (64, 16)])
def test_shrinking_ranges__follow_each_other_and_end_with_single_blocks(n_blocks, threads):
    ranges = shrinking_ranges(n_blocks, threads)
    assert [k for first, last in ranges for k in range(first, last)] == list(range(n_blocks))
    lengths = [last - first for first, last in ranges]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-threads:] == [1] * min(threads, len(lengths))
