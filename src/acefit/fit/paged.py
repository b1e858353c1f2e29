"""Arrays in files that the operating system keeps in memory as far as there is room."""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from acefit.errors import FitError


class PagedArray:
    """An array of zeros in a file without a name, which vanishes with the array or the process, however that ends.

    Parameters
    ----------
    folder : Path
        Existing folder on the file system to use.
    shape, dtype : of the array

    Attributes
    ----------
    values : the array, C-contiguous and writable, begins at a page

    Raises
    ------
    FitError
        If the file cannot be made, above all where the disk is full.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        kind = np.dtype(dtype)
        self._row_bytes = kind.itemsize * int(np.prod(shape[1:], dtype=np.int64))
        n_bytes = max(self._row_bytes * shape[0], 1)
        try:
            with tempfile.TemporaryFile(dir=folder, prefix="acefit-") as file:
                # all of it at once: a disk that is full would otherwise end the process when a page is first written
                _reserve(file.fileno(), n_bytes)
                self._map = mmap.mmap(file.fileno(), n_bytes)
        except OSError as error:
            raise FitError(
                f"cannot store {n_bytes / 1e6:.0f} MB of pairs in {folder}: {error.strerror}; free some space there, or fit in "
                "memory with fit.stream: never"
            ) from error
        self.values: NDArray = np.frombuffer(self._map, dtype=kind, count=int(np.prod(shape, dtype=np.int64))).reshape(shape)

    def expect(self, first: int, last: int) -> None:
        """Let the system read rows first..last-1 while something else is done."""
        self._advise("MADV_WILLNEED", first, last)

    def release(self, first: int, last: int) -> None:
        """Take rows first..last-1 out of the memory of this process; the file still has them."""
        self._advise("MADV_DONTNEED", first, last)

    def _advise(self, name: str, first: int, last: int) -> None:
        start = first * self._row_bytes // mmap.PAGESIZE * mmap.PAGESIZE
        stop = min(last * self._row_bytes, len(self._map))
        # where the system takes no advice it decides alone, which is right if less exact
        if stop > start and hasattr(mmap, name):
            self._map.madvise(getattr(mmap, name), start, stop - start)


def _reserve(descriptor: int, n_bytes: int) -> None:
    """Give a file its size and, where the system can, its place on the disk."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, n_bytes)
    else:
        os.ftruncate(descriptor, n_bytes)
