"""The only place where numba options are set; every kernel is decorated from here.

Floating point: sums may be reordered within one atom's loop (`reassoc`) and multiply-adds fused (`contract`), which
vectorises reductions. The compiled code of a driver is the same for any number of threads and whatever else the process has
compiled or loaded, so results depend on neither. NaN and infinity keep their meaning.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from llvmlite.binding import Linkage, parse_assembly
from numba import config
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import CPUDispatcher, cpu_target

from acefit.kernels._cache import use_cache

LANES = 8
"""Atoms of one species that go through the product graph side by side (one AVX-512 or two AVX2 registers)."""

WIDE: bool = "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2]
"""Whether a vector is one register and there are 32 of them; else it is two (AVX2), and there are 16.

Loops that keep many sums in registers have a form for each.
"""

_IS_OFF: bool = config.DISABLE_JIT  # type: ignore[attr-defined]

_OPTIONS = {
    "nopython": True,
    "nogil": True,  # runs without Python's global lock, so that work can go to several threads
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz"},
}


class ClosedLibrary(JITCodeLibrary):
    """Code of a driver with copies of its own of all functions that it calls.

    Numba gives such copies one name in all drivers, and the one that was loaded first serves all. As LLVM optimises each copy
    within its driver, the last digits of a result would depend on what the process has compiled or loaded before.
    """

    def _optimize_final_module(self) -> None:
        super()._optimize_final_module()
        _set_linkage(self._final_module, Linkage.linkonce_odr, "internal")


class InnerLibrary(JITCodeLibrary):
    """Code that is only pasted or linked into that of others: it stays unoptimised, and no machine code is made of it."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        _set_linkage(self._final_module, Linkage.external, "linkonce_odr")
        self._shared_module = self._final_module
        # what numba fills in for each function, besides its code
        names = [variable.name for variable in self._final_module.global_variables if variable.name.startswith("_ZN08NumbaEnv")]
        lines = [str(self._codegen._create_empty_module(self.name)), *(f'@"{name}" = common global i64 0' for name in names)]
        self._final_module = parse_assembly("\n".join(lines))
        super()._finalize_final_module()

    def add_llvm_module(self, module: Any) -> None:
        self._final_module.link_in(module)


def _set_linkage(module: Any, before: Linkage, after: str) -> None:
    for function in module.functions:
        if not function.is_declaration and function.linkage == before:
            function.linkage = after


class _DriverCompiler(Compiler):
    """Numba's compiler, but for the library."""

    library_class: type[JITCodeLibrary] = ClosedLibrary

    def define_pipelines(self) -> Any:
        state = self.state
        state.library = self.library_class(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return super().define_pipelines()


class _InnerCompiler(_DriverCompiler):
    library_class = InnerLibrary

    def define_pipelines(self) -> Any:
        self.state.flags.no_cpython_wrapper = self.state.flags.no_cfunc_wrapper = True
        return super().define_pipelines()


class InnerDispatcher(CPUDispatcher):
    """A kernel as other kernels see it; where Python calls it (tests, set-up), a driver of the same source serves."""

    @cached_property
    def driver(self) -> Any:
        """Made at the first call, since a cache on disk is prepared for each driver."""
        return _compile(self.py_func, **self.targetoptions)

    def add_overload(self, compiled: Any) -> None:
        """Keep the code for kernels and hide it from Python, which cannot call it."""
        self.overloads[tuple(compiled.signature.args)] = compiled

    def _compile_for_args(self, *arguments: Any, **named: Any) -> Any:
        return self.driver._compile_for_args(*arguments, **named)


def _compile(function: Callable[..., Any], **options: Any) -> Any:
    """Compiled function that Python can call."""
    if _IS_OFF:
        return function
    return use_cache(CPUDispatcher(function, targetoptions=_OPTIONS | options, pipeline_class=_DriverCompiler), "driver")


def _compile_inner(function: Callable[..., Any], **options: Any) -> Any:
    """Compiled function that other kernels can call."""
    if _IS_OFF:
        return function
    return use_cache(InnerDispatcher(function, targetoptions=_OPTIONS | options, pipeline_class=_InnerCompiler), "inner")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that allocates nothing; it runs without Python's global lock, so that work can go to several threads.

    It counts no references to arrays: in loops over slots that would cost more than the arithmetic.
    """
    return _compile_inner(function, _nrt=False)


def operation(function: Callable[..., Any]) -> Any:
    """Compile a small function that LLVM pastes into its callers: for steps inside loops."""
    return _compile_inner(function, _nrt=False, forceinline=True)


def driver(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls; it may allocate arrays."""
    return _compile(function)


def scratch(function: Callable[..., Any]) -> Any:
    """Compile a function that allocates arrays for a driver."""
    return _compile_inner(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Function that is pasted into its callers before compilation: for sequences of kernel calls.

    LLVM optimises the code of a callee again in each caller, so a deep call tree multiplies the compilation time.
    """
    return _compile(function, inline="always")
