import numpy as np
import pytest
from ase.build import bulk

from acefit.active.active_set import build_active_set
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.errors import ActiveSetError
from acefit.potential.bbasis import write_potential
from acefit.shortrange.augment import AugmentSettings, augment
from acefit.shortrange.corerep import CorerepSettings, automatic_cutoffs
from acefit.shortrange.grading import grades_of, ranks_of, read_with_active_set
from compressed import bare_potential

FRAMES = [bulk("Al", cubic=True, a=a) for a in np.linspace(3.8, 4.3, 4)]
for seed, atoms in enumerate(FRAMES):
    atoms.rattle(0.1, seed=seed)
STRUCTURES = StructureSet.from_ase(FRAMES)
# fewer functions than atoms, so that the active set knows all directions
POTENTIAL = bare_potential(1, orders=([3, 1], [0, 1]))


@pytest.fixture(scope="module")
def active_set():
    return build_active_set(POTENTIAL, STRUCTURES).active_set


def test_grades_of__are_small_in_the_data_and_large_in_compressed_structures(active_set):
    gamma_of = grades_of(POTENTIAL, active_set)
    assert gamma_of(STRUCTURES, build(STRUCTURES, 5.0)).max() < 1.02
    dense = StructureSet.from_ase([bulk("Al", a=2.2)])
    assert gamma_of(dense, build(dense, 5.0)).min() > 10.0
    assert grades_of(POTENTIAL, None) is None


def test_ranks_of__chooses_what_is_new(active_set):
    dense = [bulk("Al", a=2.2), bulk("Al", a=2.6)]
    candidates = StructureSet.from_ase([FRAMES[0], *dense])
    assert 0 not in ranks_of(POTENTIAL, active_set)(candidates, None)
    assert len(ranks_of(POTENTIAL, active_set)(candidates, 1)) == 1
    assert 0 in ranks_of(POTENTIAL, None)(candidates, None)


def test_tools__use_the_grades(active_set):
    gamma_of = grades_of(POTENTIAL, active_set)
    settings = AugmentSettings(shortest=1.2, step=0.2, highest=1e4)
    found = augment(POTENTIAL, STRUCTURES, settings, gamma_of, ranks_of(POTENTIAL, active_set))
    assert gamma_of(found.structures, build(found.structures, 5.0)).max() > 10.0
    (cutoff,) = automatic_cutoffs(POTENTIAL, STRUCTURES, CorerepSettings(step=0.2), gamma_of)
    assert 0.5 <= cutoff.distance <= build(STRUCTURES, 5.0).shortest_per_structure().min()


def test_read_with_active_set__takes_the_one_beside_the_potential(tmp_path, active_set):
    path = tmp_path / "p.yaml"
    write_potential(POTENTIAL, path)
    assert read_with_active_set(path, None)[1:] == (None, None)
    active_set.write(tmp_path / "p.asi")
    found, known, source = read_with_active_set(path, None)
    assert found.elements == tuple(known.functions) == ("Al",)
    assert source == tmp_path / "p.asi"
    with pytest.raises(ActiveSetError, match="does not exist"):
        read_with_active_set(path, tmp_path / "absent.asi")
