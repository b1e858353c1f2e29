import gzip
import json
from dataclasses import replace

import pytest

from acefit.basis.order import NOISE, canonical_functions, counted_terms, term_key
from acefit.potential.bbasis import read_potential
from bases import TWO_ELEMENTS
from conftest import shared_path

GOLDEN = [
    "Cu-III",
    "Cu.pbe.in",
    "DFT10B-AgCu_asi",
    "fit_CuI_asi",
    "multispecies_AlNi_asi",
    "syn_AlNi_zbl",
    "syn_Cu_SBessel_distance",
]


def listed(potential):
    return [potential.blocks[b].functions[f] for b, f in canonical_functions(potential)]


@pytest.mark.parametrize("name", GOLDEN)
def test_canonical_functions__is_the_order_of_the_reference(name):
    potential = read_potential(shared_path("golden", f"{name}.yaml"))
    order = json.loads(gzip.decompress(shared_path("golden", f"{name}.json.gz").read_bytes()))["function_order"]
    functions = listed(potential)
    for element in potential.elements:
        # The reference lists slots sorted where it has merged products
        ours = [
            (sorted(zip(f.elements[1:], f.ns, f.ls, strict=True)), list(f.lint)) for f in functions if f.elements[0] == element
        ]
        theirs = [(sorted(zip(f["mus"], f["ns"], f["ls"], strict=True)), f["LS"]) for f in order[element]]
        assert ours == theirs


@pytest.mark.parametrize(
    ("ls", "lints"),
    [
        ((1, 3, 3, 3), [2, 3, 4]),
        ((3, 3, 3, 3), [0, 1, 2, 3, 5, 4, 6]),
        ((3, 4, 3, 4), [1, 2, 3, 4, 6, 5, 7]),
    ],
)
def test_term_key__counts_vanishing_terms_that_the_reference_keeps(ls, lints):
    assert sorted(sorted(lints), key=lambda L: term_key(ls, (L, L))) == lints


def test_term_key__lists_the_half_space_with_m1_fastest():
    assert term_key((1, 1), ()) == (2, bytes([129, 127, 128, 128]))
    n_terms, terms = term_key((1, 1, 2), (2,))
    tuples = [(1, 1, -2), (1, 0, -1), (0, 1, -1), (1, -1, 0), (0, 0, 0)]
    assert n_terms == 5
    assert sorted(tuple(b - 128 for b in terms[i : i + 3]) for i in range(0, 15, 3)) == sorted(tuples)
    assert term_key((0,), ())[0] == 1


def test_term_key__is_empty_where_a_triangle_rule_is_violated():
    assert term_key((1, 1, 4, 4), (4, 4))[0] == 0


@pytest.mark.parametrize("noise", NOISE)
def test_counted_terms__includes_both_signs(noise):
    j1, m1, j2, m2, j, _ = noise
    counted = counted_terms(j1, j2, j)
    assert counted[j1 + m1, j2 + m2]
    assert counted[j1 - m1, j2 - m2]


def test_canonical_functions__leaves_out_skipped_ones_and_ignores_the_stored_order():
    potential = read_potential(TWO_ELEMENTS)
    functions = listed(potential)
    assert len(functions) == potential.n_functions == 11
    assert [f.order for f in functions if f.elements[0] == "Cu"] == [1, 1, 1, 2, 2, 3, 3, 4]
    reversed_blocks = tuple(replace(block, functions=block.functions[::-1]) for block in potential.blocks[::-1])
    assert listed(replace(potential, blocks=reversed_blocks)) == functions
