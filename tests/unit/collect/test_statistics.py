import numpy as np
import pytest
from ase import Atoms

from acefit.collect.statistics import Statistics
from acefit.data.storage import Dataset
from acefit.data.structures import StructureSet


def test_statistics__of_groups_and_all(labelled):
    steps = labelled(3)
    steps[0].info["config_type"] = "a"
    lonely = Atoms("Ni", [[0, 0, 0]])
    statistics = Statistics()
    statistics.add(Dataset.from_structures(StructureSet.from_ase([*steps[:2], lonely])))
    statistics.add(Dataset.from_structures(StructureSet.from_ase(steps[2:])))
    total = statistics.total
    assert statistics.elements == {"Al": 3, "Ni": 4}
    assert set(statistics.groups) == {"a", ""}
    assert (total.n_structures, total.n_atoms, total.n_without_forces, total.n_with_stress) == (4, 7, 1, 3)
    assert total.lowest == pytest.approx(-10.2 / 2)
    assert total.highest == pytest.approx(-10.0 / 2)
    norms = [np.linalg.norm(atoms.calc.results["forces"], axis=1).max() for atoms in steps]
    assert total.largest_force == pytest.approx(max(norms))
    distances = [atoms.repeat(3).get_all_distances(mic=True) for atoms in steps]
    assert total.shortest == pytest.approx(min(d[d > 0].min() for d in distances))
    assert statistics.groups["a"].lowest == pytest.approx(-5.0)
