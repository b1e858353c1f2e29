import numpy as np
import pytest

from acefit.basis.couplings import coupling_tensor
from acefit.basis.ctilde import (
    ProductSum,
    add_products,
    canonical_products,
    check_slots,
    invariant_products,
    merge_products,
    slots_of,
    sum_products,
    to_invariants,
    tuples_of_products,
)
from acefit.basis.offered import admissible_couplings
from acefit.errors import PotentialError
from acefit.potential.model import Function


def function(neighbours, ns, ls, lint, coeffs=(1.0,)):
    return Function(("Al", *neighbours.split()), tuple(ns), tuple(ls), tuple(lint), tuple(coeffs))


def naive_value(f, a):
    """B of random complex A with A_{l,-m} = (-1)^m conj(A_lm), summed over the complete m-space."""
    tensor, total = coupling_tensor(f.ls, f.lint), 0.0
    for index in np.argwhere(tensor):
        ms = [int(i) - l for i, l in zip(index, f.ls, strict=True)]
        product = np.prod([a[slot][m] for slot, m in zip(slots_of(f), ms, strict=True)])
        total += tensor[tuple(index)] * product.real
    return total


def random_base(slots, seed=0):
    rng, base = np.random.default_rng(seed), {}
    for slot in set(slots):
        base[slot] = {0: complex(rng.normal())}
        for m in range(1, slot[2] + 1):
            base[slot][m] = complex(rng.normal(), rng.normal())
            base[slot][-m] = (-1) ** m * base[slot][m].conjugate()
    return base


def value(item, a):
    products = [np.prod([a[slot][m] for slot, m in zip(item.slots, ms, strict=True)]).real for ms in item.ms.tolist()]
    return np.array(products) @ item.coeffs


FUNCTIONS = [
    function("Al Al", [1, 2], [1, 1], []),
    function("Al Al", [1, 1], [2, 2], []),
    function("Ni Al Al", [1, 2, 1], [2, 1, 1], [1]),
    function("Al Al Al Al", [1, 1, 1, 1], [1, 1, 1, 1], [0, 0]),
    function("Al Al Al Al", [2, 1, 1, 1], [1, 2, 2, 1], [2, 2]),
    function("Al Ni Ni Al Al", [2, 2, 1, 1, 1], [1, 1, 1, 1, 2], [1, 2, 2]),
]


@pytest.mark.parametrize("f", FUNCTIONS, ids=str)
def test_sum_products__has_the_value_of_the_function(f):
    (item,) = sum_products([f._replace(coeffs=(0.5, -2.0))])
    a = random_base(item.slots)
    np.testing.assert_allclose(value(item, a), naive_value(f, a) * np.array([0.5, -2.0]), rtol=1e-13)


def test_sum_products__has_the_published_terms():
    # the conversion of the demo potential: l = (1, 1), n = (1, 2), c = (0.07, -0.03)
    (item,) = sum_products([function("Al Al", [1, 2], [1, 1], [], (0.07, -0.03))])
    assert item.ms.tolist() == [[0, 0], [1, -1]]
    expected = [[-0.0404145188, 0.0173205081], [0.0808290377, -0.0346410162]]
    np.testing.assert_allclose(item.coeffs, expected, atol=1e-10)


def test_sum_products__joins_functions_with_the_same_slots_and_sorts_them():
    one, two = function("Al Al Al Al", [1] * 4, [1] * 4, [0, 0]), function("Al Al Al Al", [1] * 4, [1] * 4, [2, 2])
    pair, other = function("Ni", [1], [0], []), function("Al Al", [2, 1], [0, 0], [])
    items = sum_products([one, pair, two, other])
    assert [item.slots for item in items] == [
        (("Ni", 1, 0),),
        (("Al", 1, 0), ("Al", 2, 0)),
        (("Al", 1, 1),) * 4,
    ]
    a = random_base(items[-1].slots)
    assert value(items[-1], a)[0] == pytest.approx(naive_value(one, a) + naive_value(two, a))


def test_sum_products__keeps_a_function_that_is_always_zero():
    (item,) = sum_products([function("Al Al Al", [1, 1, 1], [1, 1, 2], [1])])
    assert item.coeffs.tolist() == [[0.0]]


def test_canonical_products__are_the_same_for_exchanged_slots_and_for_both_signs():
    ls, alike = (1, 1, 2), (0, 0, 1)
    ms = np.array([[1, 0, -1], [0, 1, -1], [-1, 0, 1], [0, -1, 1], [1, -1, 0]])
    codes = canonical_products(ls, alike, ms)
    assert len(set(codes[:4])) == 1
    assert codes[4] != codes[0]
    assert tuples_of_products(ls, codes[[0, 4]]).tolist() == [[1, 0, -1], [1, -1, 0]]


def test_invariant_products__are_shared_and_cannot_be_changed():
    products, values = invariant_products((1, 1), (), (0, 1), (0, 0))
    assert invariant_products((1, 1), (), (0, 1), (0, 0))[0] is products
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 1.0


@pytest.mark.parametrize("slots", [[("Al", 1, 1)] * 4, [("Al", 1, 2), ("Al", 2, 1), ("Al", 2, 1), ("Ni", 1, 2)]])
def test_to_invariants__gives_functions_that_add_up_to_the_products(slots):
    ls = tuple(l for _, _, l in slots)
    rng = np.random.default_rng(1)
    ns, neighbours = [n for _, n, _ in slots], " ".join(e for e, _, _ in slots)
    functions = [function(neighbours, ns, ls, lint, rng.normal(size=2)) for lint in admissible_couplings(ls)]
    (item,) = sum_products(functions)
    found = to_invariants("Al", item, 1.0, "here")
    assert len(found) <= len(functions)
    (again,) = sum_products(found)
    np.testing.assert_allclose(again.coeffs, item.coeffs, atol=1e-13)


def test_to_invariants__leaves_out_what_is_rounding_but_never_all():
    one = function("Al Al Al Al", [1, 2, 3, 4], [1] * 4, [1, 1])
    assert [f.lint for f in to_invariants("Al", sum_products([one])[0], 1.0, "here")] == [(1, 1)]
    (zero,) = to_invariants("Al", sum_products([one._replace(coeffs=(0.0,))])[0], 1.0, "here")
    assert zero.coeffs == (0.0,)


@pytest.mark.parametrize(
    ("ls", "coeffs"), [((1, 1), [1.0, 1.0]), ((1, 1), [1.0, -2.0001]), ((1, 2), [1.0, -1.0])], ids=["signs", "digits", "odd"]
)
def test_to_invariants__refuses_what_is_no_invariant(ls, coeffs):
    item = merge_products([("Al", 1, ls[0]), ("Al", 2, ls[1])], np.array([[0, 0], [1, -1]]), np.array(coeffs)[:, None])
    with pytest.raises(PotentialError, match="function 3: its products are no rotation invariant"):
        to_invariants("Al", item, 1.0, "function 3")


def test_merge_products__sorts_slots_and_adds_equal_products():
    ms = np.array([[-1, 1], [1, -1], [0, 0]])
    item = merge_products([("Al", 2, 1), ("Al", 1, 1)], ms, np.array([[1.0], [2.0], [4.0]]))
    assert item.slots == (("Al", 1, 1), ("Al", 2, 1))
    assert item.ms.tolist() == [[0, 0], [1, -1]]
    assert item.coeffs.tolist() == [[4.0], [3.0]]


def test_add_products__joins_equal_slots():
    part = ProductSum((("Al", 1, 0), ("Al", 1, 0)), np.array([[0, 0]]), np.array([[1.5]]))
    (item,) = add_products([part, part])
    assert item.coeffs.tolist() == [[3.0]]


def test_check_slots__refuses_what_no_memory_holds():
    check_slots([3] * 6, "here")
    check_slots([2] * 7, "here")
    for ls in ([9] * 9, [1] * 12, [5] * 6):
        with pytest.raises(PotentialError, match=f"here: a function of order {len(ls)}"):
            check_slots(ls, "here")
