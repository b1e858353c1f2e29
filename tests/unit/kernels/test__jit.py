"""One decorator module, and a cache of compiled kernels that cannot be stale."""

import ast
import re
from pathlib import Path

import pytest

import acefit
from acefit.kernels import _jit

PACKAGE = Path(acefit.__file__).parent


def test_numba_decorators__are_used_nowhere_else():
    allowed = PACKAGE / "kernels" / "_jit.py"
    decorators = {"njit", "jit", "vectorize", "guvectorize", "cfunc", "jitclass"}
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path == allowed or not any(word in text for word in ("jit", "vectorize", "cfunc")):
            continue
        nodes = list(ast.walk(ast.parse(text)))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        assert not (names | attributes) & decorators, path


def test_sources_digest__changes_with_any_kernel_source(tmp_path, monkeypatch):
    before = _jit.sources_digest()
    assert re.fullmatch("[0-9a-f]{16}", before)
    assert _jit.sources_digest() == before
    copy = tmp_path / "_jit.py"
    for path in (PACKAGE / "kernels").glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(_jit, "__file__", str(copy))
    assert _jit.sources_digest() == before
    with (tmp_path / "radial.py").open("a") as file:
        file.write("# changed\n")
    assert _jit.sources_digest() != before


@pytest.fixture
def jit_on(monkeypatch):
    for name in ("NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("jit_on")
def test_cache_directory__is_the_given_folder_and_named_by_the_sources(tmp_path, monkeypatch):
    monkeypatch.setenv("ACEFIT_KERNEL_CACHE", str(tmp_path / "cache"))
    folder = _jit.cache_directory()
    assert folder == tmp_path / "cache" / f"kernels-{_jit.sources_digest()}"
    assert folder.is_dir()


@pytest.mark.usefixtures("jit_on")
def test_cache_directory__follows_the_users_cache_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("ACEFIT_KERNEL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _jit.cache_directory().parent == tmp_path / "acefit"


@pytest.mark.usefixtures("jit_on")
def test_cache_directory__is_none_where_it_is_off_or_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.setenv("ACEFIT_KERNEL_CACHE", "off")
    assert _jit.cache_directory() is None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ACEFIT_KERNEL_CACHE", str(tmp_path / "file"))
    assert _jit.cache_directory() is None


@pytest.mark.usefixtures("jit_on")
@pytest.mark.parametrize("check", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_cache_directory__is_none_in_check_modes(check, tmp_path, monkeypatch):
    monkeypatch.setenv("ACEFIT_KERNEL_CACHE", str(tmp_path))
    monkeypatch.setenv(check, "1")
    assert _jit.cache_directory() is None


def test_kernel__keeps_nan_and_infinity():
    @_jit.kernel
    def is_nan(x):
        return x != x

    assert is_nan(float("nan"))
    assert not is_nan(float("inf"))
