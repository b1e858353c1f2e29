"""The only place where numba options are set; every kernel is decorated from here.

Compiled code is kept on disk in a folder whose name holds a hash of all kernel sources, of numba's version and of
the processor, so that code compiled from other sources can never be picked up: numba itself looks only at the file of
the outermost function. The folder is `$ACEFIT_KERNEL_CACHE`, by default `~/.cache/acefit`; the value `off` turns the
cache off.

Floating point: sums may be reordered within one atom's loop (`reassoc`) and multiply-adds fused (`contract`), which
vectorises reductions; the compiled code is the same for any number of threads, so results do not depend on it. NaN and
infinity keep their meaning.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
from numba import config, njit

LANES = 8
"""Atoms of one species that go through the product graph side by side (one AVX-512 or two AVX2 registers)."""

_REORDER = {"reassoc", "contract", "nsz"}


def sources_digest() -> str:
    """Hash of all kernel sources, numba's version and the processor."""
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.binding.get_host_cpu_name()}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def cache_directory() -> Path | None:
    """Folder for compiled kernels, None where the cache is off or nothing can be written there."""
    setting = os.environ.get("ACEFIT_KERNEL_CACHE", "")
    # The checking modes compile differently (or not at all) without a trace in the sources
    is_checking = any(os.environ.get(name, "0") not in ("", "0") for name in ("NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"))
    if setting == "off" or is_checking:
        return None
    home = Path(setting) if setting else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "acefit"
    folder = home / f"kernels-{sources_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


_CACHE = cache_directory()


def _compile(function: Callable[..., Any], **options: Any) -> Any:
    if _CACHE is None:
        return njit(error_model="numpy", **options)(function)
    settings: Any = config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(_CACHE)
    try:
        return njit(error_model="numpy", cache=True, **options)(function)
    finally:
        settings.CACHE_DIR = before


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that allocates nothing; it runs without Python's global lock, so that work can go to several threads.

    It counts no references to arrays: in loops over slots that would cost more than the arithmetic.
    """
    return _compile(function, fastmath=_REORDER, nogil=True, _nrt=False)


def operation(function: Callable[..., Any]) -> Any:
    """Compile a small function that LLVM pastes into its callers: for steps inside loops."""
    return _compile(function, fastmath=_REORDER, nogil=True, _nrt=False, forceinline=True)


def driver(function: Callable[..., Any]) -> Any:
    """Compile a function that allocates arrays, as scratch for kernels or as a result."""
    return _compile(function, fastmath=_REORDER, nogil=True)


def inlined(function: Callable[..., Any]) -> Any:
    """Function that is pasted into its callers before compilation: for sequences of kernel calls.

    LLVM optimises the code of a callee again in each caller, so a deep call tree multiplies the compilation time.
    """
    return _compile(function, fastmath=_REORDER, nogil=True, inline="always")
