import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acefit.data.split import count_test, split_structures
from acefit.errors import DataError


def split(n=10, test_size=None, seed=42, stratify=False, groups=None, roles=None):
    return split_structures(roles or ["data"] * n, groups or [""] * n, test_size, seed, stratify)


def test_split__without_test_size_everything_is_for_training():
    result = split(3)
    assert result.subsets == ("train",) * 3
    assert result.reasons == ("data file",) * 3


def test_split__test_files_win_over_test_size():
    result = split(roles=["train", "data", "test"], groups=["", "", ""], test_size=0.5)
    assert result.subsets == ("train", "train", "test")
    assert result.reasons == ("training file", "data file", "test file")


def test_split__is_the_shuffle_of_the_legacy_generator():
    state = np.random.RandomState(42)
    indices = np.arange(60)
    state.shuffle(indices)
    assert split(60, 0.2).test.tolist() == sorted(indices[48:].tolist())
    assert split(60, 12).test.tolist() == split(60, 0.2).test.tolist()
    assert split(60, 12, seed=43).test.tolist() != split(60, 12).test.tolist()


def test_split__of_pacemaker():
    # the test set of a run of pacemaker 0.4.0rc1 (benchmarks/compare_weights.py, case 'test_size 0.2')
    assert split(60, 0.2).test.tolist() == [7, 10, 14, 18, 20, 22, 28, 38, 42, 49, 51, 59]


@settings(deadline=None)
@given(
    groups=st.lists(st.sampled_from("abcd"), min_size=2, max_size=60), fraction=st.floats(0.01, 0.99), seed=st.integers(0, 1000)
)
def test_split__stratified_takes_every_group_in_proportion(groups, fraction, seed):
    n = len(groups)
    result = split(n, fraction, seed, stratify=True, groups=groups)
    n_test = int(n * fraction)
    assert len(result.test) == n_test
    for group in set(groups):
        drawn = sum(groups[s] == group for s in result.test)
        assert abs(drawn - n_test * groups.count(group) / n) < 1
    assert sorted([*result.train, *result.test]) == list(range(n))
    assert split(n, fraction, seed, stratify=True, groups=groups) == result


def test_split__gives_reasons():
    groups = ["a", "b"] * 5
    assert set(split(10, 2, stratify=True, groups=groups).reasons) == {
        "not drawn for testing",
        "drawn for testing from group 'a'",
        "drawn for testing from group 'b'",
    }
    assert set(split(10, 2).reasons) == {"not drawn for testing", "drawn for testing"}


def test_split__only_data_files_are_drawn_from():
    result = split(roles=["train", *["data"] * 4], groups=[""] * 5, test_size=3)
    assert result.subsets[0] == "train"
    assert len(result.test) == 3


@pytest.mark.parametrize(
    ("test_size", "message"),
    [
        (0.0, "must be positive, not 0"),
        (-0.5, "must be positive"),
        (float("nan"), "must be positive"),
        (2.5, r"a fraction below 1 or a whole number, not 2\.5"),
        (10, "leaves no training structure of 10"),
    ],
)
def test_split__refuses_impossible_sizes(test_size, message):
    with pytest.raises(DataError, match=message):
        split(10, test_size)


def test_split__needs_a_training_structure():
    with pytest.raises(DataError, match="no structure is left for training"):
        split(roles=["test"], groups=[""])


def test_count_test__rounds_down():
    assert count_test(10, 0.19) == 1
    assert count_test(10, 0.05) == 0
