import pytest

from acefit.active import memory
from acefit.active.memory import LEAST_ATOMS, atoms_of_batch, parse_memory
from acefit.errors import ActiveSetError


@pytest.mark.parametrize(
    ("text", "size"), [("500MB", 500_000_000), ("1.5 GiB", 3 * 2**29), ("1000", 1000), ("2gb", 2 * 10**9), ("auto", None)]
)
def test_parse_memory__knows_units(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "much", "5 parsecs", "-1GB", "0", "__import__('os')"])
def test_parse_memory__refuses_what_is_no_size(text):
    with pytest.raises(ActiveSetError, match="is no size; write for example 500MB"):
        parse_memory(text)


def test_atoms_of_batch__fills_the_limit_and_never_stops():
    assert atoms_of_batch(100, 10**9) == pytest.approx(10**9 / (8 * 6 * 100), rel=0.01)
    assert atoms_of_batch(10**6, 1) == LEAST_ATOMS


def test_atoms_of_batch__takes_what_is_free_or_a_guess(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 10**9)
    assert atoms_of_batch(100) == atoms_of_batch(100, 8 * 10**8)
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    assert atoms_of_batch(100) == atoms_of_batch(100, memory.UNKNOWN)
