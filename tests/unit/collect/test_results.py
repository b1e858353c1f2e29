import gzip
import pickle
from itertools import pairwise

import ase.io
import numpy as np
import pytest
from ase.constraints import FixAtoms

import vasp_files
from acefit.collect.results import UNCONVERGED, UNFINISHED, read_result
from acefit.collect.search import Output
from derivatives import predicted_change


def reasons(result):
    return [(problem.step, problem.reason) for problem in result.problems]


@pytest.mark.parametrize(
    ("name", "kind", "write"), [("OUTCAR", "vasp-out", vasp_files.outcar), ("vasprun.xml", "vasp-xml", vasp_files.vasprun)]
)
@pytest.mark.parametrize("packed", [False, True])
def test_read_result__vasp(tmp_path, labelled, name, kind, write, packed):
    steps = labelled()
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(write(steps).encode()) if packed else write(steps).encode())
    result = read_result(Output(path, kind))
    assert result.problems == []
    for number, (step, atoms) in enumerate(zip(result.steps, steps, strict=True)):
        assert step.number == number
        assert step.energy == pytest.approx(atoms.calc.results["free_energy"], abs=1e-7)
        np.testing.assert_allclose(step.forces, atoms.calc.results["forces"], atol=1e-8)
        np.testing.assert_allclose(step.stress, atoms.calc.results["stress"], atol=1e-8)
        np.testing.assert_allclose(step.atoms.positions, atoms.positions, atol=1e-8)
        np.testing.assert_allclose(step.atoms.cell.array, atoms.cell.array, atol=1e-8)
        assert str(step.atoms.symbols) == "AlNi"


@pytest.mark.parametrize(
    ("name", "kind", "write"), [("OUTCAR", "vasp-out", vasp_files.outcar), ("vasprun.xml", "vasp-xml", vasp_files.vasprun)]
)
def test_read_result__unfinished_calculations_can_be_kept(tmp_path, labelled, name, kind, write):
    path = tmp_path / name
    path.write_text(write(labelled(2), finished=False))
    assert reasons(read_result(Output(path, kind))) == [(None, f"{UNFINISHED} (2 steps have results)")] or kind == "vasp-xml"
    assert read_result(Output(path, kind)).steps == []
    assert len(read_result(Output(path, kind), keep_unfinished=True).steps) >= 2


def test_read_result__an_outcar_that_was_cut_off(tmp_path, labelled):
    path = tmp_path / "OUTCAR"
    text = vasp_files.outcar(labelled(3))
    path.write_text(text[: text.rindex("direct lattice")])
    assert reasons(read_result(Output(path, "vasp-out"))) == [(None, f"{UNFINISHED} (2 steps have results)")]
    path.write_text(text[:300])
    assert reasons(read_result(Output(path, "vasp-out"))) == [(None, UNFINISHED)]


def test_read_result__unconverged_steps_are_left_out(tmp_path, labelled):
    path = tmp_path / "OUTCAR"
    path.write_text(vasp_files.outcar(labelled(2), loop_ends=vasp_files.NOT_REACHED))
    assert reasons(read_result(Output(path, "vasp-out"))) == [(0, UNCONVERGED), (1, UNCONVERGED)]


def test_read_result__espresso(outputs):
    (step,) = read_result(Output(outputs / "espresso" / "bulk" / "pw.out", "espresso-out")).steps
    assert step.energy == pytest.approx(-15.65807263 * 13.605693, rel=1e-6)
    assert step.forces[0, 0] == pytest.approx(0.00906285 * 25.7110, rel=1e-4)
    assert str(step.atoms.symbols) == "Si2"
    result = read_result(Output(outputs / "espresso" / "relax" / "pw.out.gz", "espresso-out"))
    assert len(result.steps) == 3
    assert np.diff([step.energy for step in result.steps]).max() < 0


@pytest.mark.parametrize(("name", "rel"), [("relax", 0.03), ("md", 0.001), ("vcrelax", 0.02)])  # in "relax" the force halves
def test_read_result__espresso_forces_and_stress_are_derivatives_of_the_energy(outputs, name, rel):
    """Along the path of a run; the energy is that with the electronic entropy."""
    steps = read_result(Output(outputs / "espresso" / name / "pw.out.gz", "espresso-out")).steps
    assert len(steps) == 3
    for a, b in pairwise(steps[: 2 if name == "vcrelax" else 3]):
        assert b.energy - a.energy == pytest.approx(predicted_change(a, b), rel=rel)


def test_read_result__espresso_ends_a_relaxation_of_the_cell_with_new_plane_waves(outputs):
    _, last, again = read_result(Output(outputs / "espresso" / "vcrelax" / "pw.out.gz", "espresso-out")).steps
    np.testing.assert_allclose(again.atoms.cell.array, last.atoms.cell.array, atol=1e-8)
    np.testing.assert_allclose(again.atoms.positions, last.atoms.positions, atol=1e-8)
    assert again.energy == pytest.approx(-15.83689484 * 13.605693, rel=1e-7)
    assert 0 < last.energy - again.energy < 1e-3


def test_read_result__espresso_that_did_not_converge(outputs):
    result = read_result(Output(outputs / "espresso" / "unconverged" / "pw.out", "espresso-out"))
    assert reasons(result) == [(None, UNCONVERGED)]


def test_read_result__cp2k(outputs):
    result = read_result(Output(outputs / "cp2k" / "opt" / "cp2k.out.gz", "cp2k"))
    assert len(result.steps) == 1
    assert "2 later steps" in result.problems[0].reason
    assert reasons(read_result(Output(outputs / "cp2k" / "unconverged" / "cp2k.out.gz", "cp2k"))) == [(0, UNCONVERGED)]


def test_read_result__any_format_of_ase_without_effect_of_constraints(tmp_path, labelled):
    steps = labelled(2)
    for atoms in steps:
        atoms.set_constraint(FixAtoms([0]))
    ase.io.write(tmp_path / "run.traj", steps)
    result = read_result(Output(tmp_path / "run.traj", "traj"))
    np.testing.assert_array_equal(result.steps[1].forces, steps[1].calc.results["forces"])


def test_read_result__steps_without_labels(tmp_path, labelled):
    steps = labelled(3)
    del steps[1].calc.results["forces"]
    steps[2].calc = None
    ase.io.write(tmp_path / "run.traj", steps)
    assert reasons(read_result(Output(tmp_path / "run.traj", "traj"))) == [
        (1, "it has no forces, though others of this calculation have"),
        (2, "it has no energy"),
    ]


@pytest.mark.parametrize("kind", ["vasp-out", "vasp-xml", "espresso-out", "cp2k", "traj", "gpaw-out"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 100, b"<modeling>", pickle.dumps(print), b"Iteration\n" * 50])
def test_read_result__whatever_is_in_a_file_is_one_problem(tmp_path, kind, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    result = read_result(Output(path, kind), keep_unfinished=True)
    assert result.steps == []
    assert len(result.problems) == 1


def test_read_result__entities_of_xml_are_not_unfolded(tmp_path):
    path = tmp_path / "vasprun.xml"
    levels = "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 50}">' for k in range(1, 9))
    path.write_text(f'<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a0 "aaaaaaaaaa">{levels}]><modeling><i>&a8;</i></modeling>')
    assert len(read_result(Output(path, "vasp-xml")).problems) == 1
