"""Fixtures and helpers shared by all tests."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Compiled kernels of tests stay apart from those of users, but from one test run to the next; subprocesses inherit the folder.
# Set here, before a test module imports a kernel.
os.environ.setdefault("ACEFIT_KERNEL_CACHE", str(Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "acefit-tests"))


def shared_path(*parts: str) -> Path:
    """Path of third-party reference material; skips the test where it is absent (set ACEFIT_SHARED to its folder)."""
    path = Path(os.environ.get("ACEFIT_SHARED", ROOT.parent / "shared")).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"third-party reference material is not here: {'/'.join(parts)} (set ACEFIT_SHARED to its folder)")
    return path
