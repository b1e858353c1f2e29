import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.artifacts import read_arrays
from acefit.calculator import ACECalculator
from acefit.data.neighborlists import build
from acefit.data.readers import ReadingOptions
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.evaluation.predict import predict_compiled
from acefit.pipeline.evaluate import Errors, Measure, evaluate_files
from acefit.pipeline.in_memory import evaluate_potential
from acefit.potential.files import read_any

NAMES = ("rms", "mean", "largest")


@pytest.fixture(scope="module")
def demo(pytestconfig):
    return read_any(pytestconfig.rootpath / "tests" / "data" / "demo.yaml", doubts=False)


@pytest.fixture
def frames():
    random = np.random.default_rng(3)
    frames = []
    for k in range(5):
        atoms = bulk("AlNi", "cesiumchloride", a=2.9 + 0.02 * k).repeat((1, 1, 1 + k % 2))
        atoms.positions += random.normal(scale=0.05, size=atoms.positions.shape)
        results = {"energy": -5.0 * len(atoms), "forces": random.normal(size=(len(atoms), 3)), "stress": random.normal(size=6)}
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info["config_type"] = "abc"[k % 3]
        frames.append(atoms)
    frames.append(Atoms("Al2", [[0, 0, 0], [0, 0, 2.5]]))
    return frames


@pytest.fixture
def path(tmp_path, frames):
    ase.io.write(tmp_path / "data.xyz", frames, format="extxyz")
    return tmp_path / "data.xyz"


def test_measure__in_parts():
    measure = Measure()
    for part in ([1.0, np.nan], [], [-3.0, 2.0]):
        measure.add(np.array(part))
    assert list(measure.values(NAMES).values()) == pytest.approx([np.sqrt(14 / 3), 2.0, 3.0])
    assert np.isnan(list(Measure().values(NAMES).values())).all()
    assert not Errors().has_labels


def test_evaluate_files__a_prediction_that_overflows_is_an_infinite_error(demo, path, monkeypatch):
    """It must not vanish among structures without labels, as if the potential were good."""

    def overflowing(*arguments):
        found = predict_compiled(*arguments)
        energies = np.where(np.arange(len(found.energies)) == 1, np.inf, found.energies)
        return found._replace(energies=energies, forces=np.full_like(found.forces, np.nan))

    monkeypatch.setattr("acefit.pipeline.evaluate.predict_compiled", overflowing)
    row = evaluate_files(demo, [path]).total.row()
    assert row["mae_epa"] == row["max_abs_epa"] == np.inf
    assert row["rmse_f_comp"] == row["max_f"] == np.inf
    assert np.isfinite(row["mae_stress"])


def test_evaluate_files__errors_are_those_of_the_python_interface(demo, path, monkeypatch):
    expected = evaluate_potential(demo, path)
    monkeypatch.setattr("acefit.pipeline.evaluate.ATOMS_AT_ONCE", 3)
    done = evaluate_files(demo, [path])
    row = done.total.row()
    assert (row["n_structures"], row["n_atoms"]) == (6, 16)
    assert row["rmse_epa"] == pytest.approx(1000 * np.sqrt(np.nanmean(expected.energy_errors() ** 2)))
    assert row["mae_f_comp"] == pytest.approx(np.nanmean(np.abs(expected.force_errors())))
    lengths = np.linalg.norm(expected.force_errors(), axis=1)
    assert row["rmse_f"] == pytest.approx(np.sqrt(np.nanmean(lengths**2)))
    assert row["max_f"] == pytest.approx(np.nanmax(lengths))
    assert row["max_abs_stress"] == pytest.approx(160.2176634 * np.nanmax(np.abs(expected.stress_errors())))
    assert {name: errors.n_structures for name, errors in done.groups.items()} == {"a": 2, "b": 2, "c": 1, "": 1}
    assert not done.groups[""].has_labels


def test_evaluate_files__writes_what_the_calculator_gives(demo, path, frames, tmp_path):
    evaluate_files(demo, [path], tmp_path / "out.xyz.gz")
    for atoms, given in zip(ase.io.read(tmp_path / "out.xyz.gz", ":", format="extxyz"), frames, strict=True):
        check = given.copy()
        check.calc = ACECalculator(demo)
        results = atoms.calc.results
        assert results["energy"] == pytest.approx(check.get_potential_energy(), abs=1e-7)
        np.testing.assert_allclose(results["forces"], check.get_forces(), atol=1e-7)
        np.testing.assert_allclose(results["energies"], check.get_potential_energies(), atol=1e-7)
        if given.calc is None:
            assert "stress" not in results
            assert "REF_energy" not in atoms.info
        else:
            np.testing.assert_allclose(results["stress"], check.get_stress(), atol=1e-7)
            np.testing.assert_allclose(atoms.arrays["REF_forces"], given.calc.results["forces"], atol=1e-7)
            assert atoms.info["REF_energy"] == pytest.approx(given.calc.results["energy"])
            np.testing.assert_allclose(atoms.info["REF_stress"].ravel()[[0, 4, 8]], given.calc.results["stress"][:3], atol=1e-7)


def test_evaluate_files__tables_do_not_depend_on_parts(demo, path, tmp_path, monkeypatch):
    evaluate_files(demo, [path, path], tmp_path / "a")
    monkeypatch.setattr("acefit.pipeline.evaluate.ATOMS_AT_ONCE", 4)
    evaluate_files(demo, [path, path], tmp_path / "b")
    for name in ("structures", "atoms"):
        a, b = (read_arrays(tmp_path / folder / f"{name}.parquet", f"predicted_{name}") for folder in "ab")
        for key, values in a.items():
            if values.dtype == np.float64:
                np.testing.assert_allclose(values, b[key], rtol=1e-12, atol=1e-12)
            else:
                np.testing.assert_array_equal(values, b[key])
        numbered = {"structures": ("structure", 12), "atoms": ("atom", 32)}[name]
        assert a[numbered[0]].tolist() == list(range(numbered[1]))


def test_evaluate_files__reads_its_own_tables_of_data(demo, path, tmp_path):
    from acefit.data.conversion import convert_data

    convert_data([path], tmp_path / "data")
    assert evaluate_files(demo, [tmp_path / "data"]).total.row() == pytest.approx(evaluate_files(demo, [path]).total.row())


def test_evaluate_files__references_and_e0(demo, path, tmp_path):
    plain = evaluate_files(demo, [path]).total.row()
    with_references = evaluate_files(demo.with_metadata(reference_energy='{"Al": -1.0, "Ni": -2.0}'), [path])
    assert "references" in with_references.scale
    done = evaluate_files(demo.with_e0({"Al": -1.0, "Ni": -2.0}), [path], tmp_path / "out.xyz")
    assert "E0" in done.scale
    assert done.total.row()["rmse_epa"] == pytest.approx(with_references.total.row()["rmse_epa"])
    assert done.total.row()["rmse_epa"] != pytest.approx(plain["rmse_epa"])
    atoms = ase.io.read(tmp_path / "out.xyz", 0, format="extxyz")
    check = atoms.copy()
    check.calc = ACECalculator(demo.with_e0({"Al": -1.0, "Ni": -2.0}))
    assert atoms.get_potential_energy() == pytest.approx(check.get_potential_energy(), abs=1e-7)
    assert atoms.info["REF_energy"] == pytest.approx(-10.0)


def test_evaluate_files__corrected_energies_are_on_the_scale_of_the_fit(demo, tmp_path):
    frames = [bulk("Al") for _ in range(2)]
    frames[0].info.update(energy=7.0, energy_corrected=-3.0)
    frames[1].info.update(energy_corrected=-4.0)
    ase.io.write(tmp_path / "data.xyz", frames, format="extxyz")
    evaluate_files(demo, [tmp_path / "data.xyz"], tmp_path / "plain")
    evaluate_files(demo.with_metadata(reference_energy='{"Al": -1.0}'), [tmp_path / "data.xyz"], tmp_path / "with")
    labels = [read_arrays(tmp_path / name / "structures.parquet", "predicted_structures")["energy"] for name in ("plain", "with")]
    assert labels[0].tolist() == [-3.0, -4.0]
    # total energies are corrected by what the potential knows; what is corrected already stays
    assert labels[1].tolist() == [8.0, -4.0]


def test_evaluate_files__tables_know_distances_and_low_energies(demo, path, frames, tmp_path):
    evaluate_files(demo, [path], tmp_path / "out")
    of_atoms = read_arrays(tmp_path / "out" / "atoms.parquet", "predicted_atoms")
    distances = build(StructureSet.from_ase(frames), demo.cutoff).shortest_per_atom()
    np.testing.assert_allclose(of_atoms["nn_distance"], distances, atol=1e-7)
    found = read_arrays(tmp_path / "out" / "structures.parquet", "predicted_structures")
    # all have -5 eV/atom, the last one has no label
    assert found["is_low_energy"].tolist() == [True] * 5 + [False]


def test_evaluate_files__refuses_what_it_cannot_do(demo, path, tmp_path):
    with pytest.raises(DataError, match="cannot write this kind of predictions"):
        evaluate_files(demo, [path], tmp_path / "out.db")
    with pytest.raises(DataError, match=r"out\.parquet: Parquet tables are two, .*; name a folder for them, such as .*out$"):
        evaluate_files(demo, [path], tmp_path / "out.parquet")
    with pytest.raises(DataError, match="read and written"):
        evaluate_files(demo, [path], path)
    ase.io.write(tmp_path / "cu.xyz", bulk("Cu"), format="extxyz")
    with pytest.raises(DataError, match="Cu"):
        evaluate_files(demo, [tmp_path / "cu.xyz"], tmp_path / "out.xyz")
    assert not (tmp_path / "out.xyz").exists()


def test_evaluate_files__tells_what_was_left_out(demo, path, tmp_path):
    ase.io.write(tmp_path / "cu.xyz", bulk("Cu"), format="extxyz")
    options = ReadingOptions(elements=demo.elements, on_bad_structure="leave_out")
    done = evaluate_files(demo, [tmp_path / "cu.xyz", path], tmp_path / "out", options)
    assert len(done.left_out) == 1
    assert done.total.n_structures == 6
