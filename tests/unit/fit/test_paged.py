"""Arrays in files that vanish by themselves."""

import errno
import gc
import mmap
import os
import re
from pathlib import Path

import numpy as np
import pytest

from acefit.errors import FitError
from acefit.fit import paged
from acefit.fit.paged import PagedArray


def resident():
    return 1024 * int(re.search(r"^VmRSS:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)[1])


@pytest.mark.parametrize("shape", [(0, 3, 8), (1, 3, 8), (1000, 8)])
def test_paged_array__holds_what_is_written_through_release(tmp_path, shape):
    array = PagedArray(tmp_path, shape, np.float64)
    assert array.values.shape == shape
    assert array.values.flags.c_contiguous
    assert array.values.flags.writeable
    assert array.values.ctypes.data % 64 == 0
    assert not array.values.any()
    expected = np.random.default_rng(0).normal(size=shape)
    array.values[:] = expected
    for first, last in ((0, shape[0]), (3, 400), (5, 5)):
        array.expect(first, last)
        array.release(first, last)
        np.testing.assert_array_equal(array.values, expected)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell what is in memory")
def test_release__takes_the_rows_out_of_memory(tmp_path):
    array = PagedArray(tmp_path, (1000, 8192), np.float64)
    before = resident()
    array.values[:] = 1.0
    assert resident() - before > 0.9 * array.values.nbytes
    array.release(0, 1000)
    assert resident() - before < 0.2 * array.values.nbytes


def test_paged_array__leaves_no_file(tmp_path):
    array = PagedArray(tmp_path, (100, 8), np.int32)
    assert not list(tmp_path.iterdir())
    view = array.values[3:5]
    del array
    gc.collect()
    # the memory lives as long as anything that looks at it
    assert not view.any()


def test_paged_array__full_disk_is_one_error(tmp_path, monkeypatch):
    def full(descriptor, n_bytes):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(paged, "_reserve", full)
    with pytest.raises(FitError, match=r"cannot store 64 MB of pairs in .*: No space left on device; free some space"):
        PagedArray(tmp_path, (10**6, 8), np.float64)
    assert not list(tmp_path.iterdir())


def test_paged_array__works_where_the_system_knows_neither_reservation_nor_advice(tmp_path, monkeypatch):
    for module, name in ((os, "posix_fallocate"), (mmap, "MADV_DONTNEED"), (mmap, "MADV_WILLNEED")):
        monkeypatch.delattr(module, name)
    array = PagedArray(tmp_path, (100, 8), np.float64)
    array.values[:] = 2.0
    array.expect(0, 100)
    array.release(0, 100)
    assert (array.values == 2.0).all()
