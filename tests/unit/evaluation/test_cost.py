import numpy as np
import pytest

from acefit.basis.compiled import compile_potential
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.evaluation.cost import SAMPLE_ATOMS, choose_sample, measure_cost
from models import random_potential, random_structures


@pytest.mark.parametrize(
    ("counts", "n_atoms", "expected"),
    [
        ([10] * 10, 50, [0, 2, 4, 6, 8]),
        ([10] * 3, 30, [0, 1, 2]),
        ([10] * 3, 60, [0, 0, 1, 1, 2, 2]),
        ([5000, 5000], 10, [0]),
    ],
    ids=["spread", "all", "repeated", "at least one"],
)
def test_choose_sample__is_spread_over_the_dataset(counts, n_atoms, expected):
    assert choose_sample(np.array(counts), n_atoms).tolist() == expected


def test_measure_cost__describes_the_sample_it_measured():
    potential = random_potential(2)
    structures = StructureSet.from_ase(random_structures(("Al", "Cu")))
    neighbors = build(structures, potential.cutoff)
    chosen = choose_sample(structures.atoms_per_structure)
    cost = measure_cost(compile_potential(potential), structures.select(chosen), neighbors.select(chosen))
    per_structure = structures.n_atoms / structures.n_structures
    assert cost.n_atoms == pytest.approx(SAMPLE_ATOMS, abs=per_structure * structures.n_structures)
    assert cost.n_structures * per_structure == pytest.approx(cost.n_atoms, rel=0.1)
    assert cost.neighbors_per_atom == pytest.approx(neighbors.n_pairs / structures.n_atoms, rel=0.1)
    assert cost.microseconds_per_atom > 0
    assert cost.processor
