"""The machine: processor, versions, and the arithmetic and memory peaks that small kernels reach.

    python benchmarks/machine.py          measures and prints JSON

The arithmetic peak is measured with numba's default code and, where the processor has them, with 512-bit vectors, which LLVM
avoids by default on most processors; the larger one counts.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import binding
from numba import njit

import acefit
from measuring import run_fresh

BLOCK = 96
"""Independent multiply-adds: enough to hide their latency, few enough to stay in registers (12 of 512 bits, 24 of 256)."""

PACKAGES = ("numba", "llvmlite", "numpy", "scipy", "ase", "vesin")


@njit(fastmath={"contract", "reassoc", "nsz"}, error_model="numpy", nogil=True)
def multiply_add(n: int, a: float, b: float, values: np.ndarray) -> None:
    """Repeat values = values a + b in registers."""
    for _ in range(n):
        for i in range(BLOCK):
            values[i] = values[i] * a + b


@njit(error_model="numpy", nogil=True)
def triad(a: np.ndarray, b: np.ndarray, c: np.ndarray, s: float) -> None:
    """One pass a = b + s c over arrays much larger than the caches."""
    for i in range(len(a)):
        a[i] = b[i] + s * c[i]


def best_rate(work: float, jobs: list[Any], repeats: int = 9) -> float:
    """Work of all jobs, run at once on a thread each, divided by the shortest time."""
    times = []
    with ThreadPoolExecutor(len(jobs)) as pool:
        list(pool.map(lambda job: job(), jobs))
        for _ in range(repeats):
            begun = time.perf_counter()
            list(pool.map(lambda job: job(), jobs))
            times.append(time.perf_counter() - begun)
    return work * len(jobs) / min(times)


def arithmetic_peak(threads: int) -> float:
    """Gflop/s in double precision."""
    n = 200_000
    blocks = [np.ones(BLOCK) for _ in range(threads)]
    jobs = [lambda block=block: multiply_add(n, 0.999, 1e-3, block) for block in blocks]
    return best_rate(2.0 * BLOCK * n / 1e9, jobs)


def bandwidth(threads: int, megabytes: int) -> float:
    """GB/s of the triad: two arrays read, one written; all threads together move three arrays of this size."""
    n = megabytes * 1_000_000 // 8 // threads
    arrays = [[np.ones(n) for _ in range(3)] for _ in range(threads)]
    jobs = [lambda group=group: triad(*group, 0.5) for group in arrays]
    return best_rate(24.0 * n / 1e9, jobs, repeats=5)


def wide_vectors() -> dict[str, str]:
    """Environment that makes LLVM use 512-bit vectors; empty on processors without them."""
    features = binding.get_host_cpu_features()
    if not features.get("avx512f"):
        return {}
    name = binding.get_host_cpu_name()
    return {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": f"{features.flatten()},-prefer-256-bit"}


def vector_bits() -> int:
    """Widest registers in the compiled multiply-add kernel."""
    assembly = "".join(multiply_add.inspect_asm().values())
    return next((bits for name, bits in (("zmm", 512), ("ymm", 256), ("xmm", 128)) if f"%{name}" in assembly), 64)


def peaks(quick: bool = False) -> dict[str, float]:
    """Peaks with one and with two threads: `fma_1`, `fma_2` in Gflop/s, `triad_1`, `triad_2` in GB/s."""
    found = run_fresh("machine.py", *(["--quick"] if quick else []))
    wide = run_fresh("machine.py", "--only-arithmetic", environment=wide_vectors()) if wide_vectors() else {}
    found |= {f"{key}_512": value for key, value in wide.items() if key.startswith("fma")}
    for threads in (1, 2):
        found[f"fma_{threads}"] = max(found[f"fma_{threads}"], found.get(f"fma_{threads}_512", 0.0))
    return found


def describe() -> dict[str, Any]:
    """Processor, its vector instructions, cores and versions."""
    info = Path("/proc/cpuinfo")
    lines = dict(re.findall(r"^([^\t:]+?)\s*: (.*)$", info.read_text(), re.MULTILINE)) if info.exists() else {}
    flags = lines.get("flags", "").split()
    return {
        "processor": lines.get("model name", platform.processor()),
        "llvm_name": binding.get_host_cpu_name(),
        "vector_flags": " ".join(flag for flag in flags if flag.startswith(("avx", "fma", "sse4_2"))),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
        "python": platform.python_version(),
        "acefit": acefit.__version__,
        **{name: version(name) for name in PACKAGES},
        "numba_threads": numba.config.NUMBA_NUM_THREADS,
        "numba_features": os.environ.get("NUMBA_CPU_FEATURES", ""),
    }


def main() -> None:
    """Measure in this process."""
    found: dict[str, float] = {f"fma_{threads}": arithmetic_peak(threads) for threads in (1, 2)}
    found["vector_bits"] = vector_bits()
    if "--only-arithmetic" not in sys.argv:
        found |= {f"triad_{threads}": bandwidth(threads, 80 if "--quick" in sys.argv else 800) for threads in (1, 2)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
