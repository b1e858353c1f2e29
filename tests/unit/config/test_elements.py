import pytest
from ase.data import chemical_symbols

from acefit.config.elements import SYMBOLS, keyword_arity, split_key


def test_symbols__are_in_the_order_of_atomic_numbers():
    assert list(SYMBOLS) == chemical_symbols[1:]


@pytest.mark.parametrize(
    ("key", "symbols"),
    [
        ("Al", ("Al",)),
        ("AlNi", ("Al", "Ni")),
        ("Al-Ni", ("Al", "Ni")),
        ("NO", ("N", "O")),
        ("CO", ("C", "O")),
        ("Co", ("Co",)),
        ("CHO", ("C", "H", "O")),
        ("AlXx", ()),
        ("alni", ()),
        ("Al2", ()),
        ("", ()),
    ],
)
def test_split_key__finds_symbols(key, symbols):
    assert split_key(key) == symbols


def test_keyword_arity__counts_elements():
    assert [keyword_arity(word) for word in ("ALL", "UNARY", "QUINARY")] == [0, 1, 5]
