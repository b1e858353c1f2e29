import shutil

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

import vasp_files
from acefit.collect.tree import CollectOptions, collect_results
from acefit.data.readers import read_files
from acefit.errors import DataError


def single_atom(symbol, energy, box):
    atoms = Atoms(symbol, [[0.1, 0.2, 0.3]], cell=[box] * 3, pbc=True)
    results = {"energy": energy, "free_energy": energy, "forces": np.zeros((1, 3)), "stress": np.zeros(6)}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


@pytest.fixture
def tree(tmp_path, labelled):
    root = tmp_path / "runs"
    for name, steps in {
        "alloy/relax": labelled(4),
        "alloy/static": labelled(1, seed=1),
        "atoms/Al": [single_atom("Al", -0.2, 8.0)],
        "atoms/Ni": [single_atom("Ni", -0.5, 9.0)],
    }.items():
        (root / name).mkdir(parents=True)
        (root / name / "OUTCAR").write_text(vasp_files.outcar(steps))
    (root / "alloy" / "bad").mkdir()
    (root / "alloy" / "bad" / "vasprun.xml").write_text(vasp_files.vasprun(labelled(1), n_scsteps=60, last_change=0.1))
    return root


def test_collect_results__last_steps_by_default(tree, tmp_path):
    done = collect_results([tree], tmp_path / "out.xyz")
    assert done.n_files == 5
    assert [(problem.path.parent.name, problem.step) for problem in done.problems] == [("bad", 0)]
    dataset = read_files([{"path": str(tmp_path / "out.xyz")}]).dataset
    assert dataset.structures.names == ("alloy/relax/OUTCAR:3", "alloy/static/OUTCAR", "atoms/Al/OUTCAR", "atoms/Ni/OUTCAR")
    assert dataset.structures.groups == ("alloy", "alloy", "atoms", "atoms")
    np.testing.assert_allclose(dataset.raw_energies, [-10.55, -10.25, -0.2, -0.5])
    assert done.statistics.elements == {"Al": 3, "Ni": 3}
    assert done.references == {}


def test_collect_results__subtracts_free_atoms(tree, tmp_path):
    done = collect_results([tree], tmp_path / "out.xyz", CollectOptions(selection="all", free_atoms={"": "auto", "Al": -0.1}))
    assert done.references == {"Al": (-0.1, "given"), "Ni": (-0.5, "atoms/Ni/OUTCAR")}
    dataset = read_files([{"path": str(tmp_path / "out.xyz")}]).dataset
    np.testing.assert_allclose(dataset.structures.energies[0], dataset.raw_energies[0] + 0.6)
    assert dataset.structures.n_structures == 7


@pytest.mark.parametrize("name", ["out.xyz.gz", "out.db", "out.pckl.gzip", "out"])
def test_collect_results__writes_every_format(tree, tmp_path, name):
    collect_results([tree], tmp_path / name)
    path = tmp_path / name / "structures.parquet" if name == "out" else tmp_path / name
    assert read_files([{"path": str(path)}]).dataset.structures.n_structures == 4


def test_collect_results__some_structures_at_a_time(tree, tmp_path, monkeypatch):
    collect_results([tree], tmp_path / "a.xyz", CollectOptions(selection="all"))
    monkeypatch.setattr("acefit.collect.tree.ATOMS_AT_ONCE", 3)
    collect_results([tree], tmp_path / "b.xyz", CollectOptions(selection="all"))
    assert (tmp_path / "a.xyz").read_bytes() == (tmp_path / "b.xyz").read_bytes()


def test_collect_results__stops_where_it_is_told(tree, tmp_path):
    with pytest.raises(DataError, match="did not converge; mend it"):
        collect_results([tree], tmp_path / "out.xyz", CollectOptions(stop=True))
    assert not (tmp_path / "out.xyz").exists()


def test_collect_results__atoms_that_are_too_close(tmp_path):
    atoms = Atoms("Al2", [[0, 0, 0], [0, 0, 0.1]], cell=[5, 5, 5], pbc=True)
    results = {"energy": 0.0, "free_energy": 0.0, "forces": np.zeros((2, 3)), "stress": np.zeros(6)}
    atoms.calc = SinglePointCalculator(atoms, **results)
    (tmp_path / "OUTCAR").write_text(vasp_files.outcar([atoms]))
    with pytest.raises(DataError, match=r"nothing of 1 results can be used:\n.*OUTCAR, step 0: .*0.1"):
        collect_results([tmp_path], tmp_path / "out.xyz")
    assert not (tmp_path / "out.xyz").exists()


def test_collect_results__nothing_is_there(tmp_path):
    with pytest.raises(DataError, match="no results of a known program"):
        collect_results([tmp_path], tmp_path / "out.xyz")


def test_collect_results__group_depth_and_several_roots(tree, tmp_path):
    roots = [tree / "alloy", tree / "atoms" / "Al" / "OUTCAR"]
    collect_results(roots, tmp_path / "out.xyz", CollectOptions(group_depth=0))
    structures = read_files([{"path": str(tmp_path / "out.xyz")}]).dataset.structures
    assert set(structures.groups) == {""}
    assert structures.names[0] == f"{tree.as_posix()}/alloy/relax/OUTCAR:3"


def test_collect_results__names_do_not_make_data_synthetic(tree, tmp_path):
    shutil.copytree(tree, tmp_path / "root" / "augmented-cells")
    collect_results([tmp_path / "root"], tmp_path / "data.xyz")
    names = [atoms.info["name"] for atoms in ase.io.read(tmp_path / "data.xyz", ":")]
    assert all(name.startswith("./augmented-cells/") for name in names)
