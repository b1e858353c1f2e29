"""A cache of compiled kernels that cannot be stale, shared by processes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import acefit
from acefit.kernels import _cache

PACKAGE = Path(acefit.__file__).parent


def test_sources_digest__changes_with_any_kernel_source(tmp_path, monkeypatch):
    before = _cache.sources_digest()
    assert re.fullmatch("[0-9a-f]{16}", before)
    assert _cache.sources_digest() == before
    copy = tmp_path / "_cache.py"
    for path in (PACKAGE / "kernels").glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(_cache, "__file__", str(copy))
    assert _cache.sources_digest() == before
    with (tmp_path / "radial.py").open("a") as file:
        file.write("# changed\n")
    assert _cache.sources_digest() != before


@pytest.fixture
def jit_on(monkeypatch):
    for name in ("NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("jit_on")
def test_cache_directory__is_the_given_folder_and_named_by_the_sources(tmp_path, monkeypatch):
    monkeypatch.setenv("ACEFIT_KERNEL_CACHE", str(tmp_path / "cache"))
    folder = _cache.cache_directory()
    assert folder == tmp_path / "cache" / f"kernels-{_cache.sources_digest()}"
    assert folder.is_dir()


@pytest.mark.usefixtures("jit_on")
def test_cache_directory__follows_the_users_cache_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("ACEFIT_KERNEL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _cache.cache_directory().parent == tmp_path / "acefit"


@pytest.mark.usefixtures("jit_on")
def test_cache_directory__is_none_where_it_is_off_or_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.setenv("ACEFIT_KERNEL_CACHE", "off")
    assert _cache.cache_directory() is None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ACEFIT_KERNEL_CACHE", str(tmp_path / "file"))
    assert _cache.cache_directory() is None


@pytest.mark.usefixtures("jit_on")
@pytest.mark.parametrize("check", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_cache_directory__is_none_in_check_modes(check, tmp_path, monkeypatch):
    monkeypatch.setenv("ACEFIT_KERNEL_CACHE", str(tmp_path))
    monkeypatch.setenv(check, "1")
    assert _cache.cache_directory() is None


# ---------------------------------------------------------------- processes that share a cache

SLOW = """
import logging, sys, time
from numba.core import event
from acefit.kernels import _jit

logging.basicConfig(level="INFO", stream=sys.stdout, format="%(message)s")
logging.getLogger("acefit").setLevel("DEBUG")


@_jit.kernel
def inner(x):
    return x[0] + 1.0


@_jit.kernel
def outer(x):
    return 2.0 * inner(x)


class Compiled(event.Listener):
    names = []

    def on_start(self, compiled):
        self.names.append(compiled.data["dispatcher"].py_func.__name__)
        time.sleep(0.5)  # long enough for the other process to come

    def on_end(self, compiled):
        pass


event.register("numba:compile", Compiled())
"""
ONCE = f"""{SLOW}
import numpy as np

assert outer(np.array([2.0])) == 6.0
print("compiled", *Compiled.names)
"""
FOREIGN = f"""{SLOW}
from elsewhere import Pair

assert outer(Pair(2.0)) == 6.0
print("compiled", *Compiled.names)
"""


@pytest.fixture
def script(tmp_path, jit_on, monkeypatch):
    """Start scripts of one name and one source, so that they share their cache."""
    monkeypatch.setenv("ACEFIT_KERNEL_CACHE", str(tmp_path / "cache"))

    def start(text):
        path = tmp_path / "script.py"
        path.write_text(text)
        os.utime(path, (1e9, 1e9))
        return subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return start


def output(process):
    text = process.communicate(timeout=300)[0]
    assert process.returncode == 0, text
    return text


def compiled(text):
    return text.splitlines()[-1].split()[1:]


def test_kernels__two_processes_at_once_compile_once(script):
    texts = [output(process) for process in [script(ONCE), script(ONCE)]]
    assert sorted(map(len, map(compiled, texts))) == [0, 2]
    assert sum("compiling kernels" in text for text in texts) == 1
    assert sum("waiting for it" in text for text in texts) == 1
    assert compiled(output(script(ONCE))) == []


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda content: b""], ids=["cut off", "empty"])
def test_kernels__damaged_cache_is_compiled_again(script, tmp_path, suffix, damage):
    output(script(ONCE))
    for path in (tmp_path / "cache").rglob(f"*.{suffix}"):
        path.write_bytes(damage(path.read_bytes()))
    assert sorted(compiled(output(script(ONCE)))) == ["inner", "outer"]
    assert compiled(output(script(ONCE))) == []


def test_kernels__types_that_exist_nowhere_else_do_not_spoil_the_cache(script, tmp_path):
    """Numba's index names argument types by their module."""
    module = tmp_path / "elsewhere.py"
    module.write_text("from typing import NamedTuple\n\n\nclass Pair(NamedTuple):\n    first: float\n")
    assert sorted(compiled(output(script(FOREIGN)))) == ["inner", "outer"]
    module.unlink()
    same_size = ONCE.ljust(len(FOREIGN), "\n")  # else numba takes the index for one of another source
    text = output(script(same_size))
    assert "No module named 'elsewhere'" in text  # the error of loading the index
    assert sorted(compiled(text)) == ["inner", "outer"]
    assert compiled(output(script(same_size))) == []
