"""Fit Atomic Cluster Expansion potentials as a pipeline of cached steps.

Importing the package loads nothing else, so that a step depends only on the modules it imports itself.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["ACECalculator", "__version__"]


def __getattr__(name: str) -> Any:
    """Load the calculator when it is first asked for."""
    if name == "ACECalculator":
        from acefit.calculator import ACECalculator

        return ACECalculator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
