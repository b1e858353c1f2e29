import pytest

from acefit.basis.couplings import is_admissible
from acefit.basis.offered import (
    REFERENCE_L_LIMITS,
    admissible_couplings,
    equality_pattern,
    independent_couplings,
    is_in_reference_table,
    n_invariants,
    offered_couplings,
)

# Number of couplings per pattern up to the reference's limits on l
SIZES = {
    **{"0": 1, "00": 11, "01": 11, "000": 30, "001": 64, "011": 64, "012": 106},
    **{"0000": 51, "0001": 126, "0011": 195, "0012": 320, "0112": 320, "0122": 320, "0123": 585},
    **{"00000": 45, "00001": 144, "01111": 144, "00011": 258, "00111": 258},
    **{"01112": 447, "01222": 447, "00012": 447, "00112": 650, "00122": 650, "01122": 650},
    **{"00123": 1182, "01123": 1182, "01223": 1182, "01233": 1182, "01234": 2212},
    **{"000000": 22, "000001": 53, "000011": 108, "000111": 123, "001111": 108, "011111": 53},
}


def pattern(text):
    return tuple(int(label) for label in text)


@pytest.mark.parametrize("text", SIZES)
def test_offered_couplings__has_the_known_number(text):
    assert len(offered_couplings(pattern(text), REFERENCE_L_LIMITS[len(text)])) == SIZES[text]


@pytest.mark.parametrize(("text", "lints"), [("0000", [(0, 0)]), ("0011", [(0, 0), (2, 2)]), ("0123", [(0, 0), (1, 1), (2, 2)])])
def test_offered_couplings__depend_on_which_slots_are_equal(text, lints):
    assert [lint for ls, lint in offered_couplings(pattern(text), 1) if ls == (1, 1, 1, 1)] == lints


def test_offered_couplings__has_no_cap():
    assert ((11, 11), ()) in offered_couplings((0, 0), 12)
    assert ((4, 4, 4, 4, 4), (1, 4, 4)) in offered_couplings((0, 1, 2, 3, 4), 4)
    assert len(offered_couplings((0, 1, 2, 3, 4, 5), 1)) == sum(n_invariants(ls, (0, 1, 2, 3, 4, 5)) for ls in BINARY_LS)


BINARY_LS = [tuple((i >> bit) & 1 for bit in range(6)) for i in range(64) if i.bit_count() % 2 == 0]


@pytest.mark.parametrize("text", ["0011", "00012", "001122", "000112"])
def test_offered_couplings__are_complete_and_admissible(text):
    couplings = offered_couplings(pattern(text), 2)
    counts = {}
    for ls, lint in couplings:
        assert is_admissible(ls, lint)
        counts[ls] = counts.get(ls, 0) + 1
    assert [ls for ls, _ in couplings] == sorted(ls for ls, _ in couplings)
    for ls, count in counts.items():
        assert count == n_invariants(ls, equality_pattern(list(zip(pattern(text), ls, strict=True))))


def test_independent_couplings__of_odd_momenta_vanish_for_equal_slots():
    assert independent_couplings((1, 1, 1, 1), (0, 0, 0, 0)) == ((0, 0),)
    assert independent_couplings((1, 1, 1), (0, 0, 0)) == ()


def test_n_invariants__of_distinct_slots_counts_the_trees():
    assert n_invariants((2, 1, 3, 2), (0, 1, 2, 3)) == len(list(admissible_couplings((2, 1, 3, 2))))


def test_equality_pattern__numbers_distinct_slots():
    assert equality_pattern([("Al", 1), ("Al", 1), ("Al", 3)]) == (0, 0, 1)


def test_reference_table__ends_at_two_labels_for_order_six():
    assert is_in_reference_table((0, 0, 0, 1, 1, 1))
    assert not is_in_reference_table((0, 0, 0, 1, 1, 2))
