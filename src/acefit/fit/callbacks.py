"""User functions called after every iteration of a fit."""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acefit.errors import FitError
from acefit.potential.model import Potential

log = logging.getLogger(__name__)

UserFunction = Callable[..., Any]


def load_callbacks(names: Sequence[str | UserFunction], folders: Sequence[Path] = ()) -> dict[str, UserFunction]:
    """Import user functions.

    Parameters
    ----------
    names : sequence of str or callable
        Dotted names `module.function`; callables are taken as they are.
    folders : sequence of Path
        Where modules are looked for before the installed packages: working directory and folder of the configuration.

    Returns
    -------
    dict
        Name -> function, in the given order.

    Raises
    ------
    FitError
        If a name cannot be imported or is not callable.
    """
    functions: dict[str, UserFunction] = {}
    for name in names:
        if callable(name):
            functions[getattr(name, "__qualname__", repr(name))] = name
        else:
            functions[name] = _import_function(name, folders)
    return functions


def _import_function(name: str, folders: Sequence[Path]) -> UserFunction:
    module_name, _, function_name = name.rpartition(".")
    if not module_name:
        raise FitError(f"fit.callbacks: {name!r} names no function; write module.function")
    with _search_first(folders):
        try:
            module = importlib.import_module(module_name)
        except Exception as error:
            places = ", ".join(str(folder) for folder in folders) or "the installed packages"
            raise FitError(
                f"fit.callbacks: {name!r} cannot be imported ({type(error).__name__}: {error}); looked in {places}"
            ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise FitError(f"fit.callbacks: the module {module_name} ({module.__file__}) has no function {function_name!r}")
    return function


@contextmanager
def _search_first(folders: Sequence[Path]) -> Iterator[None]:
    """Look for modules in these folders first, only inside the block."""
    before = list(sys.path)
    sys.path[:0] = [str(folder) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = before


class Callbacks:
    """The user functions of one minimisation.

    Each is called with keyword arguments `basis_config` (the current `Potential`), `current_fit_iteration`, `current_fit_cycle`,
    `current_ladder_step` (all from 0) and, if it takes one of that name or any keyword, `metrics` (the row of the metrics table).

    Parameters
    ----------
    functions : mapping
        Name -> function.
    cycle, step : int
        Numbers passed on.
    stop_on_error : bool
        Whether an error in a function ends the fit; else it is logged with its traceback and the fit goes on.
    """

    def __init__(self, functions: Mapping[str, UserFunction], *, cycle: int, step: int, stop_on_error: bool = False) -> None:
        self._functions = dict(functions)
        self._takes_metrics = {name: _takes(function, "metrics") for name, function in functions.items()}
        self._cycle = cycle
        self._step = step
        self._stop_on_error = stop_on_error
        self._has_failed: set[str] = set()

    def __bool__(self) -> bool:
        """Whether there is anything to call."""
        return bool(self._functions)

    def call(self, potential: Potential, iteration: int, metrics: Mapping[str, Any]) -> str | None:
        """Call all functions after an iteration.

        Parameters
        ----------
        potential : Potential
            Current potential.
        iteration : int
            Number of the iteration, from 1; the functions get it from 0.
        metrics : mapping
            Row of the metrics table.

        Returns
        -------
        str or None
            Reason to end the minimisation, if a function raised StopIteration.

        Raises
        ------
        FitError
            If a function fails and errors are to stop the fit.
        """
        reason = None
        for name, function in self._functions.items():
            arguments: dict[str, Any] = {
                "basis_config": potential,
                "current_fit_iteration": iteration - 1,
                "current_fit_cycle": self._cycle,
                "current_ladder_step": self._step,
            }
            if self._takes_metrics[name]:
                arguments["metrics"] = dict(metrics)
            try:
                function(**arguments)
            except StopIteration as stop:
                reason = f"stopped by callback {name}" + (f": {stop}" if str(stop) else "")
            except Exception as error:
                self._report(name, iteration, error)
        return reason

    def _report(self, name: str, iteration: int, error: Exception) -> None:
        what = f"the callback {name} failed after iteration {iteration}: {type(error).__name__}: {error}"
        if self._stop_on_error:
            raise FitError(f"{what}; mend it, or set fit.callback_errors: report to go on without it") from error
        is_known = name in self._has_failed
        self._has_failed.add(name)
        # a function that fails once tends to fail at every iteration: the terminal hears of it once, the log file every time
        log.warning("%s", what, exc_info=error, extra={"file_only": is_known})


def _takes(function: UserFunction, argument: str) -> bool:
    """Say whether a function can be called with this keyword argument."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return argument in parameters or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
