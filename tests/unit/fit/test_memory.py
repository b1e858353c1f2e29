"""How much memory a fit will take, and whether it streams."""

import logging
import re

import numpy as np
import pytest

from acefit.errors import FitError
from acefit.fit import memory
from acefit.fit.memory import MemoryEstimate, SetSize, check_memory, choose_streaming, estimate_memory, optimizer_bytes


def test_optimizer_bytes__covers_the_matrix_of_bfgs():
    n = 300
    matrix = np.eye(n).nbytes
    assert matrix <= optimizer_bytes("BFGS", n, 100) < 1.1 * matrix
    assert optimizer_bytes("ScaledBFGS", n, 100) == optimizer_bytes("BFGS", n, 1000)
    assert optimizer_bytes("L-BFGS-B", n, 100) < 40 * 8 * n
    assert 3 * 8 * n < optimizer_bytes("Adam", n, 100) < 40 * 8 * n
    assert optimizer_bytes("trust-constr", n, 100) > 2 * optimizer_bytes("BFGS", n, 100)


def test_optimizer_bytes__counts_the_updates_of_bfgs_with_many_parameters():
    n = 100_000
    assert 200 * 8 * n < optimizer_bytes("BFGS", n, 100) < 260 * 8 * n


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


SIZES = [SetSize(10**5, 10**7, 10**5), SetSize(10**3, 10**5, 10**3)]


def estimate(stream, threads=2, resident=None, sizes=SIZES):
    return estimate_memory(sizes, 1000, 8 * 10**6, stream=stream, threads=threads, n_shares=64, resident=resident)


def test_estimate_memory__counts_pairs_only_where_they_are_in_memory():
    in_memory, streaming = estimate(False), estimate(True)
    assert 28 * 1.01e7 < in_memory.data - streaming.data < 32 * 1.01e7
    assert (in_memory.program, in_memory.loss, in_memory.optimizer) == (streaming.program, streaming.loss, streaming.optimizer)
    assert estimate(True, threads=4).data > streaming.data
    # a share has at least one structure
    assert estimate(True, sizes=[SetSize(10**5, 10**7, 10**7)]).data > in_memory.data
    assert estimate(False, resident=10**9).total > 10**9


def test_choose_streaming__streams_only_where_memory_does_not_suffice(monkeypatch, caplog):
    large = MemoryEstimate(10**8, 10**10, 0, 0)
    monkeypatch.setattr(memory, "resident_bytes", lambda: 10**8)
    monkeypatch.setattr(memory, "available_bytes", lambda: 2 * 10**10)
    assert not choose_streaming("auto", large)
    assert choose_streaming("auto", large, 5e9)
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**9)
    with caplog.at_level(logging.INFO):
        assert choose_streaming("auto", large)
    assert "the fit would take 10.1 GB and this machine has free 1100 MB (fit.stream: never" in caplog.text
    assert not choose_streaming("never", large)
    assert choose_streaming("always", MemoryEstimate(0, 0, 0, 0))
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    assert not choose_streaming("auto", large)


def test_resident_and_available_bytes__are_plausible_or_unknown():
    for found in (memory.resident_bytes(), memory.available_bytes()):
        assert found is None or 10**7 < found < 10**14


@pytest.mark.slow
@pytest.mark.skipif(memory.resident_bytes() is None, reason="the system does not tell what is in memory")
@pytest.mark.parametrize("stream", ["never", "always"])
def test_estimate_memory__is_right_within_a_fifth_for_a_million_pairs(stream):
    import measure_memory
    from shapes import load_training_set

    data = load_training_set("cu-large", None, quick=False)
    data = data._replace(structures=data.structures.select(np.arange(70)))
    # the kernels are compiled by a small job before, since that takes memory of its own
    small = data._replace(structures=data.structures.select(np.arange(2)))
    settings = {"loss": {"kappa": 0.3}, "maxiter": 1}
    measure_memory.measure_fresh(small, settings)
    found = measure_memory.measure_fresh(data, settings, stream=stream)
    (said,) = [re.search(r"memory estimate: (\d+) MB", line)[1] for line in found["said"] if "memory estimate" in line]
    assert 0.8 < 1e6 * float(said) / found["peak"] < 1.2
    # what the job adds to Python and its packages, whose size depends on their versions and on the system
    assert found["peak"] - found["baseline"] < 0.3e9
