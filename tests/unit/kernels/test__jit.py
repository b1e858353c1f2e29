"""One decorator module; results that do not depend on what else is compiled."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from numba import config

import acefit
from acefit.kernels import _cache, _jit

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


def test_kernel__keeps_nan_and_infinity():
    @_jit.kernel
    def is_nan(x):
        return x != x

    assert is_nan(float("nan"))
    assert not is_nan(float("inf"))


@_jit.kernel
def halvings(n):
    """A recursion, which stays a function when it is pasted into others."""
    if n < 2:
        return 0
    return 1 + halvings(n // 2)


@_jit.scratch
def buffer(n):
    return np.zeros(n)


@_jit.driver
def count_in(n):
    out = buffer(1)
    out[0] = halvings(n)
    return out


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="looks into compiled code")
def test_driver__has_its_own_copy_of_what_it_calls(monkeypatch):
    """Else the first copy that a process loads, optimised within another driver, would serve and change last digits."""
    # code that an earlier run left on disk cannot be looked into
    monkeypatch.setattr(_cache, "_CACHE", None)

    @_jit.driver
    def call(n):
        return halvings(n)

    assert call(1000) == 9
    (compiled,) = call.overloads.values()
    heads = re.findall(r"^define (\w+) .*halvings", compiled.library.get_llvm_str(), re.MULTILINE)
    assert heads
    assert set(heads) == {"internal"}


def test_kernel__can_be_called_from_python_before_and_after_a_driver():
    assert halvings(1000) == 9
    assert count_in(1000) == [9.0]
    assert halvings(1000) == 9
    assert halvings(np.int32(5)) == 2
    assert buffer(3).tolist() == [0.0, 0.0, 0.0]
