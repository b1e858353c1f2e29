import numpy as np
import pytest

from acefit.data.neighborlists import build
from acefit.data.storage import read_structures
from acefit.data.stored import StoredDataset
from acefit.fit.memory import optimizer_bytes
from acefit.pipeline import sizes
from acefit.pipeline.sizes import (
    DataSize,
    RunSize,
    StepSize,
    estimate_fit_memory,
    estimate_time,
    evaluation_seconds,
    measure_run,
    measure_speed,
)


@pytest.fixture(scope="module")
def size(tiny_fit):
    return measure_run(tiny_fit.run)


def test_measure_run__counts_what_there_is(tiny_fit, size):
    structures = read_structures(*tiny_fit.run.dataset())
    n_pairs = build(structures, 4.0).n_pairs
    assert size.is_pair_count_exact
    assert sum(part.n_pairs for part in size.subsets.values()) == n_pairs
    assert {name: part.n_structures for name, part in size.subsets.items()} == {"train": 12, "test": 3}
    assert (size.elements, size.cutoff, size.cycles, size.iterations) == (["Cu"], 4.0, 2, 2)
    assert [step.n_functions for step in size.steps] == [3, 6]
    assert size.n_fits == 4
    of_structures = np.diff(build(structures, 4.0).offsets[structures.offsets])
    assert max(part.largest for part in size.subsets.values()) == of_structures.max()


def test_measure_run__estimates_pairs_of_large_sets_from_a_sample(tiny_fit, size, monkeypatch):
    monkeypatch.setattr(sizes, "SAMPLE_ATOMS", 30)
    monkeypatch.setattr(sizes, "ATOMS_AT_ONCE", 9)
    estimate = measure_run(tiny_fit.run)
    assert not estimate.is_pair_count_exact
    exact, found = (sum(part.n_pairs for part in of.subsets.values()) for of in (size, estimate))
    assert found != exact
    assert found == pytest.approx(exact, rel=0.1)


def test_estimate_fit_memory__is_the_model_of_the_fit(tiny_fit, size):
    estimate = estimate_fit_memory(tiny_fit.run.config, size, 2)
    assert estimate.optimizer == optimizer_bytes("BFGS", size.steps[-1].n_parameters, 2)
    assert estimate.total > 200e6


@pytest.mark.parametrize(
    ("n_functions", "n_elements", "pairs", "measured"),
    [(82, 1, 132.5, 7.06), (899, 1, 146.2, 20.4), (4836, 3, 7.8, 4.89), (120, 1, 34.6, 3.30)],
)
def test_evaluation_seconds__within_a_third_of_the_documented_times(n_functions, n_elements, pairs, measured):
    """Table 'Loss with gradient' of docs/performance.md, one thread."""
    subset = DataSize(1, 1000, round(1000 * pairs), 0)
    found = 1e6 * evaluation_seconds(subset, StepSize(n_functions, 1), n_elements, 1) / 1000
    assert found == pytest.approx(measured, rel=1 / 3)


def test_estimate_time__grows_with_iterations_cycles_and_speed():
    subsets = {"train": DataSize(100, 10_000, 500_000, 5000)}
    size = RunSize(subsets, ["Cu"], 5.0, [StepSize(100, 300), StepSize(200, 500)], 2, 100, True)
    base = estimate_time(size, 1)
    assert len(base.steps) == 2
    assert base.steps[1] > base.steps[0]
    assert base.total == pytest.approx(base.data + sum(base.steps) + base.rest)
    assert estimate_time(size._replace(cycles=4), 1).steps == pytest.approx([2 * s for s in base.steps])
    jobs = size.cycles * sizes.FIT_JOB
    twice = estimate_time(size, 1, speed=2.0).steps
    assert np.array(twice) - jobs == pytest.approx(2 * (np.array(base.steps) - jobs))
    assert estimate_time(size, 2).steps[0] < base.steps[0]
    # the test set takes part in predictions only
    more = estimate_time(size._replace(subsets={**subsets, "test": subsets["train"]}), 1)
    assert more.steps == base.steps
    assert more.rest > base.rest


def test_measure_speed__is_a_factor(tiny_fit, size):
    assert 0.01 < measure_speed(tiny_fit.run, size) < 1000


def test_measure_speed__reads_some_structures_at_a_time(tiny_fit, size, monkeypatch):
    given = []
    parts = StoredDataset.parts
    monkeypatch.setattr(sizes, "ATOMS_AT_ONCE", 9)
    monkeypatch.setattr(StoredDataset, "parts", lambda dataset, bounds: given.append(bounds) or parts(dataset, bounds))
    assert measure_speed(tiny_fit.run, size) > 0
    assert len(given) == 1
    assert len(given[0]) > 3
