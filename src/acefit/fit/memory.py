"""How much memory a fit will take, and whether its pairs are kept in memory or in files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from acefit.errors import FitError
from acefit.fit.quasi_newton import DENSE_PARAMETERS, UPDATE_ROWS
from acefit.system import memory_entry

log = logging.getLogger(__name__)

# Measured by benchmarks/measure_memory.py; the kinds that grow with the set or the potential in bytes for each unit of it
PROGRAM_BYTES = 240_000_000
"""Python and the packages, where the system does not tell."""
KERNEL_BYTES = 60_000_000
"""Compiled kernels of the loss; compiling them, once per machine and version, takes some 300 MB more."""
PIECE_BYTES = 15_000_000
"""Pairs that pass by while the layout is built, and free memory that the allocator keeps."""
PLACE_BYTES = 28
"""Vector and neighbour."""
FILLED = 0.95
"""Share of the places that hold a pair."""
ATOM_BYTES = 300
"""Reference values, predictions, slopes and errors."""
COEFFICIENTS_PER_PARAMETER = 6
"""Coefficients of the kernels, of which each share has a gradient."""
SCRATCH_BYTES = 8_000_000
"""Working arrays of a thread, with what the second pass takes from the first (at most 16 MB)."""


class SetSize(NamedTuple):
    """Numbers of atoms and pairs, and pairs of the largest structure."""

    n_atoms: int
    n_pairs: int
    largest: int

    def share(self, n_processes: int) -> SetSize:
        """Size of the part that one of some processes has."""
        return SetSize(self.n_atoms // n_processes, max(self.n_pairs // n_processes, self.largest), self.largest)


class MemoryEstimate(NamedTuple):
    """Bytes at the peak of a fit's process: program with what it has read, pairs and atoms, the loss's sums, the optimiser."""

    program: int
    data: int
    loss: int
    optimizer: int

    @property
    def total(self) -> int:
        """Sum of all."""
        return self.program + self.data + self.loss + self.optimizer


def optimizer_bytes(method: str, n_parameters: int, maxiter: int, maxcor: int = 10) -> int:
    """Bytes of the arrays an optimiser keeps after maxiter iterations: matrices or vectors.

    BFGS of many parameters keeps two vectors of each iteration. Adam keeps the state (3 vectors) before an epoch and within
    it, and the temporary vectors of a step.
    """
    bfgs = n_parameters if n_parameters <= DENSE_PARAMETERS else 2 * maxiter + UPDATE_ROWS
    kept = {"BFGS": bfgs, "ScaledBFGS": bfgs, "L-BFGS-B": 2 * maxcor, "Adam": 6, "trust-constr": 3 * n_parameters}
    return 8 * n_parameters * (kept.get(method, 0) + 12)


def estimate_memory(
    sets: list[SetSize],
    n_parameters: int,
    optimizer: int,
    *,
    stream: bool,
    threads: int,
    n_shares: int,
    resident: int | None = None,
) -> MemoryEstimate:
    """Estimate the peak of a fit's process.

    Parameters
    ----------
    sets : training and test set
    n_parameters : of the potential
    optimizer : bytes of the optimiser
    stream : whether the pairs are in files; each thread then has those of one share of the blocks in memory
    threads, n_shares : numbers of threads and of shares of the work
    resident : bytes this process has now, with structures and weights; None: a usual number
    """
    places = sum(size.n_pairs for size in sets)
    if stream:
        places = threads * max(max(size.n_pairs // n_shares, size.largest) for size in sets)
    return MemoryEstimate(
        program=(PROGRAM_BYTES if resident is None else resident) + KERNEL_BYTES,
        data=int(PLACE_BYTES / FILLED * places) + ATOM_BYTES * sum(size.n_atoms for size in sets) + PIECE_BYTES,
        loss=n_shares * 8 * COEFFICIENTS_PER_PARAMETER * n_parameters + threads * SCRATCH_BYTES,
        optimizer=optimizer,
    )


def resident_bytes() -> int | None:
    """Memory of this process; None where the system does not tell."""
    return memory_entry("VmRSS")


def available_bytes() -> int | None:
    """Memory that programs can still take on this machine; None where the system does not tell."""
    return memory_entry("MemAvailable", Path("/proc/meminfo"))


def choose_streaming(setting: str, in_memory: MemoryEstimate, limit: float | None = None, n_here: int = 1) -> bool:
    """Whether the pairs are kept in files, with one line in the log if they are.

    Parameters
    ----------
    setting : str
        always, never, or auto: where the fit would take more memory than it may or than there is.
    in_memory : MemoryEstimate
        Of the fit with all pairs in memory.
    limit : float or None
        Bytes allowed; None: what the machine has.
    n_here : int
        Processes of the fit on this machine, which share its memory.
    """
    if setting == "never":
        return False
    if setting == "always":
        log.info("the pairs are kept in files (fit.stream: always)")
        return True
    allowed, whose = limit, "fit.max_memory allows"
    if allowed is None:
        resident, available = resident_bytes(), available_bytes()
        if resident is None or available is None:
            return False
        allowed, whose = resident + available / n_here, "this machine has free"
    if in_memory.total <= allowed:
        return False
    log.info(
        "the pairs are kept in files, since with them in memory the fit would take %s and %s %s (fit.stream: never forbids it)",
        megabytes(in_memory.total), whose, megabytes(allowed),
    )  # fmt: skip
    return True


def check_memory(estimate: MemoryEstimate, method: str, limit: float | None = None) -> None:
    """Say how much memory a fit will need before it starts.

    Parameters
    ----------
    estimate : MemoryEstimate
        Bytes.
    method : str
        Optimiser, for the advice.
    limit : float or None
        Bytes allowed; None: no limit.

    Raises
    ------
    FitError
        If the estimate exceeds the limit.
    """
    parts = ", ".join(f"{name} {megabytes(value)}" for name, value in zip(estimate._fields, estimate, strict=True))
    log.info("memory estimate: %s (%s)", megabytes(estimate.total), parts)
    if limit is not None and estimate.total > limit:
        advice = "choose the optimizer L-BFGS-B, which keeps few vectors, or " if estimate.optimizer > estimate.total / 2 else ""
        raise FitError(
            f"this fit ({method}) would need about {megabytes(estimate.total)} ({parts}), but {megabytes(limit)} are allowed; "
            f"{advice}raise fit.max_memory or the rule's mem_mb"
        )


def megabytes(n_bytes: float) -> str:
    """Bytes for people."""
    return f"{n_bytes / 1e6:.0f} MB" if n_bytes < 1e10 else f"{n_bytes / 1e9:.1f} GB"
