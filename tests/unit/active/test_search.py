import numpy as np
import pytest

from acefit.active.search import SearchSettings, search
from acefit.active.vectors import Rows
from acefit.errors import ActiveSetError

WIDTH = 6


def rows_of(vectors, first=0):
    numbers = np.arange(len(vectors)) + first
    return Rows(vectors, numbers, numbers)


def batches_of(vectors, n):
    parts = np.array_split(np.arange(len(vectors)), n) if n else []
    calls = []

    def batches():
        calls.append(len(calls))
        return [{"Cu": rows_of(vectors[part], part[0])} for part in parts]

    return batches, calls


def run(vectors, n, start=None, **options):
    batches, calls = batches_of(vectors, n)
    found = search(batches, n, {"Cu": Rows.empty(vectors.shape[1]) if start is None else start}, SearchSettings(**options))
    return found["Cu"], len(calls)


@pytest.fixture
def vectors():
    return np.random.default_rng(1).normal(size=(400, WIDTH)) * np.logspace(-9, 2, WIDTH)


@pytest.mark.parametrize("n", [1, 5, 130])
def test_search__no_grade_is_above_the_tolerance(vectors, n):
    found, _ = run(vectors, n, refinements=20)
    assert found.largest <= 1.01
    assert np.abs(vectors @ found.inverse.matrix).max() == pytest.approx(found.largest)
    np.testing.assert_array_equal(found.rows.vectors, vectors[found.rows.atom])
    assert found.n_environments == 400


def test_search__in_one_batch_goes_through_it_once(vectors):
    assert run(vectors, 1)[1] == 1


def test_search__in_batches_stops_when_all_are_within_the_tolerance(vectors):
    assert run(vectors, 4, refinements=50)[1] < 10


def test_search__without_refinements_says_what_was_missed(vectors):
    found, calls = run(vectors, 40, refinements=0)
    assert calls == 2
    assert found.largest == pytest.approx(np.abs(vectors @ found.inverse.matrix).max())


def test_search__with_fewer_environments_than_columns(vectors):
    found, _ = run(vectors[:4], 2)
    assert (found.inverse.rank, len(found.rows.vectors)) == (4, 4)
    assert found.largest == pytest.approx(1.0)


def test_search__begins_with_given_environments(vectors):
    given = np.full(WIDTH, -1)
    start = Rows(np.eye(WIDTH) * 10 * np.abs(vectors).max(axis=0), given, given)
    found, _ = run(vectors, 3, start)
    assert (found.rows.structure == -1).all()
    found, _ = run(vectors, 3, start._replace(vectors=start.vectors * 1e-4))
    assert (found.rows.structure >= 0).all()


@pytest.mark.parametrize("n", [0, 3])
def test_search__without_environments_has_rank_zero(n):
    found, _ = run(np.zeros((n, WIDTH)), n)
    assert found.inverse.rank == 0
    assert found.largest == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0.9}, "at least 1, got 0.9"),
        ({"tolerance": np.nan}, "at least 1"),
        ({"iterations": 0}, "at least 1 iteration"),
        ({"refinements": -1}, "and 0 refinements"),
    ],
)
def test_search_settings__must_make_sense(options, message):
    with pytest.raises(ActiveSetError, match=message):
        SearchSettings(**options)
