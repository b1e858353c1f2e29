import numpy as np
import pytest

from acefit.active.active_set import ActiveSet
from acefit.active.grade import grade_structures
from acefit.active.selection import select_structures
from acefit.data.structures import StructureSet
from acefit.errors import ActiveSetError
from active_sets import alloys, small_potential, small_set


def test_select_structures__counts_the_environments_of_each():
    potential, structures, built = small_set()
    selection = select_structures(potential, structures)
    origins = np.concatenate([rows.structure for rows in built.environments.values()])
    counts = np.bincount(origins, minlength=structures.n_structures)
    assert np.array_equal(selection.environments, counts[selection.structures])
    assert selection.environments.sum() == len(origins)
    assert (np.diff(selection.environments) <= 0).all()
    assert np.isnan(selection.gamma).all()
    ties = np.diff(selection.environments) == 0
    assert (np.diff(selection.structures)[ties] > 0).all()


def test_select_structures__takes_at_most_so_many():
    potential, structures, _ = small_set()
    everything = select_structures(potential, structures).structures
    assert select_structures(potential, structures, most=3).structures.tolist() == everything[:3].tolist()


@pytest.mark.parametrize("memory", [None, 1])
@pytest.mark.parametrize("kind", ["linear", "full"])
def test_select_structures__beside_an_active_set_takes_only_what_is_new(kind, memory):
    potential, _, built = small_set(kind)
    new = StructureSet.from_ase([*alloys(3), *alloys(2, strain=0.15, seed=9)])
    selection = select_structures(potential, new, built.active_set, memory=memory)
    assert {3, 4} <= set(selection.structures.tolist())
    gamma = grade_structures(potential, built.active_set, new)
    largest = [gamma[new.structure_of_atom == s].max() for s in selection.structures]
    np.testing.assert_allclose(selection.gamma, largest, rtol=1e-5)
    assert selection.environments[:2].sum() > selection.environments[2:].sum()


def test_select_structures__chooses_nothing_where_all_is_known():
    potential, structures, built = small_set()
    assert len(select_structures(potential, structures.select([0, 1]), built.active_set).structures) == 0


def test_select_structures__what_makes_no_sense():
    potential, structures, built = small_set()
    with pytest.raises(ActiveSetError, match="at least 1, got 0"):
        select_structures(potential, structures, most=0)
    other = ActiveSet("linear", built.active_set.inverses, {"Al": ["a"], "Cu": ["b"]})
    with pytest.raises(ActiveSetError, match="made with other functions"):
        select_structures(small_potential(), structures, other)
