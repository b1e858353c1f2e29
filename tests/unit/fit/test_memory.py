"""How much memory a fit will take, and whether it streams."""

import logging

import numpy as np
import pytest

from acefit.errors import FitError
from acefit.fit.memory import MemoryEstimate, check_memory, optimizer_bytes


def test_optimizer_bytes__covers_the_matrix_of_bfgs():
    n = 300
    assert np.eye(n).nbytes <= optimizer_bytes("BFGS", n) < 1.1 * np.eye(n).nbytes
    assert optimizer_bytes("L-BFGS-B", n) < 40 * 8 * n
    assert 3 * 8 * n < optimizer_bytes("Adam", n) < 40 * 8 * n
    assert optimizer_bytes("trust-constr", n) > 2 * optimizer_bytes("BFGS", n)


def test_check_memory__stops_only_beyond_the_limit(caplog):
    estimate = MemoryEstimate(program=10**8, data=10**6, loss=2 * 10**6, optimizer=10**9)
    with caplog.at_level(logging.INFO):
        check_memory(estimate, "BFGS")
        check_memory(estimate, "BFGS", 2e9)
    assert "memory estimate: 1103 MB (program 100 MB, data 1 MB, loss 2 MB, optimizer 1000 MB)" in caplog.text
    with pytest.raises(FitError, match=r"would need about 1103 MB .* but 500 MB are allowed; choose the optimizer L-BFGS-B"):
        check_memory(estimate, "BFGS", 5e8)
    with pytest.raises(FitError, match=r"about 20\.0 GB .* allowed; raise fit\.max_memory"):
        check_memory(MemoryEstimate(0, 2 * 10**10, 0, 0), "CG", 5e8)
