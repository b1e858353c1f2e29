"""Fit Atomic Cluster Expansion potentials as a pipeline of cached steps.

Importing the package loads nothing else, so that a step depends only on the modules it imports itself.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = [
    "ACECalculator",
    "ACEEnsemble",
    "FitResult",
    "__version__",
    "build_potential",
    "evaluate",
    "fit_potential",
    "metrics",
    "plot_learning_curve",
    "plot_parity",
    "read_potential",
    "write_potential",
]


def __getattr__(name: str) -> Any:
    """Load what the package offers when it is first asked for."""
    if name == "ACECalculator":
        from acefit.calculator import ACECalculator

        return ACECalculator
    if name == "ACEEnsemble":
        from acefit.ensemble import ACEEnsemble

        return ACEEnsemble
    if name in __all__:
        from acefit import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
