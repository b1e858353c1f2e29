"""Compiled kernels on disk, shared by all processes of a machine.

The folder's name holds a hash of all kernel sources, of numba's version and of the processor, so that code compiled from other
sources can never be picked up: numba itself looks only at the file of the outermost function. The folder is
`$ACEFIT_KERNEL_CACHE`, by default `~/.cache/acefit`; the value `off` turns the cache off. One process at a time compiles into
a folder: others that start meanwhile wait and load what it made. What cannot be loaded from the folder is compiled anew.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import llvmlite.binding
import numba
from numba import config
from numba.core.caching import FunctionCache
from numba.core.compiler_lock import global_compiler_lock
from numba.core.runtime import rtsys

try:
    import fcntl
except ImportError:  # not a POSIX system: processes that start at once each compile
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)


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


class Turn:
    """Right to compile into a folder, from the first kernel that is missing there until the kernel that needs it is done.

    Parameters
    ----------
    folder : folder of compiled kernels
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._file: IO[bytes] | None = None
        self._depth = 0
        self._told: set[str] = set()

    @contextmanager
    def until_done(self) -> Iterator[None]:
        """Give the turn back at the end of the outermost block, if it was taken inside."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth and self._file is not None:
                self._file.close()  # which unlocks it
                self._file = None

    def take(self) -> bool:
        """Wait until no other process compiles; False if this one has the turn already, or where files cannot be locked."""
        if self._file is not None or fcntl is None:
            return False
        file = self.path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._tell("another process compiles the kernels; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def announce(self) -> None:
        """Say once that kernels are compiled, which takes longer than a start should."""
        self._tell("compiling kernels, once for this machine and version of acefit")

    def _tell(self, text: str) -> None:
        if text not in self._told:
            log.info(text)
        self._told.add(text)


class SharedCache(FunctionCache):
    """Numba's cache of one kernel on disk, shared by processes that may start at once."""

    kind = "driver"

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return *super()._index_key(sig, codegen), self.kind

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Compiled code for a signature; None if this process is to compile it."""
        found = self._load(sig, target_context)
        if found is None and _TURN is not None:
            if _TURN.take():
                found = self._load(sig, target_context)  # perhaps the other process has made it
            if found is None:
                _TURN.announce()
        return found

    def _load(self, sig: Any, target_context: Any) -> Any:
        try:
            # numba would first register all that kernels may be compiled from, which takes longer than everything else here;
            # compiled code needs its memory management only
            rtsys.initialize(target_context)
            return self._load_overload(sig, target_context)
        except Exception as error:  # cut off, or made with types that do not exist here: whatever unpickling raises
            log.debug("%s cannot be loaded and is compiled again: %s: %s", self, type(error).__name__, error)
            self.flush()
            return None


_CACHE = cache_directory()
_TURN = None if _CACHE is None else Turn(_CACHE)


def use_cache(dispatcher: Any, kind: str) -> Any:
    """Attach the cache on disk, and compile in turn with other processes."""
    if _CACHE is None or _TURN is None:
        return dispatcher
    settings: Any = config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(_CACHE)
    try:
        # what `cache=True` does, with our class
        dispatcher._cache = SharedCache(dispatcher.py_func)
        dispatcher._cache.kind = kind
    finally:
        settings.CACHE_DIR = before
    load_or_compile, turn = dispatcher.compile, _TURN

    def in_turn(signature: Any) -> Any:
        with global_compiler_lock, turn.until_done():
            return load_or_compile(signature)

    dispatcher.compile = in_turn
    return dispatcher
