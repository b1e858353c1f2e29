import gzip
from itertools import pairwise

import numpy as np
import pytest
from ase.units import Bohr, Hartree, bar

from acefit.collect.cp2k import divide, read_derivatives
from acefit.collect.cp2k_trajectory import read_trajectory
from acefit.collect.results import UNCONVERGED, UNFINISHED, read_result
from acefit.collect.search import CP2K_TRAJECTORY, Output
from acefit.errors import DataError
from derivatives import predicted_change

MD, GEO, CELL = ("md", "heat-pos-1.xyz"), ("geo", "water-pos-1.xyz"), ("cellopt", "press-pos-1.xyz")


@pytest.fixture
def copy(tmp_path, outputs):
    """Copy the files of a run, decompressed; some changed by functions of their text (None: left out); gives the trajectory."""

    def copy(run, **changes):
        folder, trajectory = run
        for path in (outputs / "cp2k" / folder).iterdir():
            text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
            key = next((key for key in changes if key in path.name), None)
            changed = changes[key](text) if key else text
            plain = tmp_path / path.name.removesuffix(".gz")
            plain.write_text(changed or "")
            if changed is None:
                plain.unlink()
        return tmp_path / trajectory

    return copy


def nothing(text):
    return None


def replaced(old, new, count=-1):
    def change(text):
        assert old in text
        return text.replace(old, new, count)

    return change


def cut(end):
    return lambda text: text[: text.rindex(end)]


def read(path, **options):
    return read_result(Output(path, CP2K_TRAJECTORY), **options)


def reasons(result):
    return [(problem.step, problem.reason) for problem in result.problems]


def test_read_trajectory__dynamics_with_a_cell_that_changes(copy):
    result = read(copy(MD))
    assert result.problems == []
    assert [step.number for step in result.steps] == [0, 1, 2, 3]
    step = result.steps[2]
    assert str(step.atoms.symbols) == "Si8"
    assert step.atoms.pbc.all()
    np.testing.assert_array_equal(step.atoms.cell.array[1], [0.1913158853, 5.4553769049, -0.0165015474])
    np.testing.assert_array_equal(step.atoms.positions[0], [0.0165526954, -0.0075495619, 0.0022018770])
    assert step.energy == pytest.approx(-31.122401401573843 * Hartree, rel=1e-15)


@pytest.mark.parametrize(("run", "rel"), [(MD, 0.005), (CELL, 0.015)])
def test_read_trajectory__forces_and_stress_are_derivatives_of_the_energy(copy, run, rel):
    for a, b in pairwise(read(copy(run)).steps):
        assert b.energy - a.energy == pytest.approx(predicted_change(a, b), rel=rel)


def test_read_trajectory__forces_are_those_of_the_main_output(copy):
    path = copy(MD)
    text = path.with_name("md.out").read_text()
    for step, evaluation in zip(read(path).steps, divide(text).evaluations, strict=True):
        printed = read_derivatives(evaluation.text, 8, path)
        np.testing.assert_allclose(step.forces, printed["forces"], atol=1e-8 * Hartree / Bohr)
        np.testing.assert_array_equal(step.stress, printed["stress"])


def test_read_trajectory__stress_is_without_the_motion_of_the_atoms(copy):
    path = copy(MD)
    first = read(path).steps[0]
    xx = float(path.with_name("heat-1.stress").read_text().splitlines()[1].split()[2])
    motion = -first.stress[0] / bar - xx
    assert abs(motion) > 4000  # 8 atoms of 800 K


def test_read_trajectory__an_optimisation_begins_in_the_main_output(copy):
    path = copy(GEO)
    result = read(path)
    assert result.problems == []
    assert len(result.steps) == 4
    assert len(path.read_text().splitlines()) == 3 * 5
    np.testing.assert_array_equal(result.steps[0].atoms.positions[1], [3.0, 3.76, 3.59])
    assert not result.steps[3].atoms.pbc.any()
    np.testing.assert_allclose(result.steps[3].atoms.cell.lengths(), 6.0)
    for a, b in pairwise(result.steps):
        assert b.energy - a.energy == pytest.approx(predicted_change(a, b), rel=0.15)


@pytest.mark.parametrize(
    "change",
    [
        replaced("ATOMIC FORCES in", "?"),
        replaced("ATOMIC COORDINATES IN", "?"),
        replaced("SCF run converged", "SCF run NOT converged", 1),
    ],
)
def test_read_trajectory__the_first_step_of_an_optimisation_has_to_be_complete(copy, change):
    assert len(read(copy(GEO, out=change)).steps) == 3


def test_read_trajectory__forces_from_the_main_output(copy):
    with_file, without = read(copy(MD)).steps, read(copy(MD, frc=nothing)).steps
    assert len(without) == 4
    for a, b in zip(with_file, without, strict=True):
        assert 0 < np.abs(a.forces - b.forces).max() < 1e-6


def test_read_trajectory__compressed_files(copy):
    path = copy(MD)
    plain = read(path).steps
    for name in path.parent.iterdir():
        name.with_name(f"{name.name}.gz").write_bytes(gzip.compress(name.read_bytes()))
        name.unlink()
    packed = read(path.with_name("heat-pos-1.xyz.gz")).steps
    assert len(packed) == 4
    for a, b in zip(plain, packed, strict=True):
        np.testing.assert_array_equal(a.forces, b.forces)
        np.testing.assert_array_equal(a.atoms.cell.array, b.atoms.cell.array)


def test_read_trajectory__a_run_that_went_on(copy):
    """The restarted run writes another main output and appends to the trajectory."""
    path = copy(MD)
    text = path.with_name("md.out").read_text()
    place = text.index(" MD| Step number                                                               2")
    path.with_name("md.out").write_text(text[:place])
    path.with_name("md2.out").write_text(text[: text.index(" ENERGY|")] + text[place:])
    result = read(path)
    assert result.problems == []
    assert len(result.steps) == 4


def test_read_trajectory__says_what_did_not_converge(copy):
    failed = replaced("SCF run converged in     7 steps", "SCF run NOT converged", 1)
    result = read(copy(MD, out=failed))
    assert reasons(result) == [(1, UNCONVERGED)]
    assert [step.number for step in result.steps] == [0, 2, 3]


def test_read_trajectory__unfinished(copy):
    path = copy(MD, out=cut("STRESS| Analytical stress tensor"), pos=cut(" Si"), frc=cut("     8\n"))
    assert reasons(read(path)) == [(None, f"{UNFINISHED} (3 steps have results)")]
    result = read(path, keep_unfinished=True)
    assert len(result.steps) == 3
    path = copy(MD, out=cut("8      1      Si"))
    result = read(path, keep_unfinished=True)
    assert np.isnan(result.steps[3].stress).all()
    assert np.isfinite(result.steps[3].forces).all()


@pytest.mark.parametrize("frc", [nothing, cut("       8\n"), replaced("i =        3", "i =       30")])
def test_read_trajectory__steps_without_forces_are_one_problem(copy, frc):
    result = read(copy(MD, frc=frc, out=replaced("ATOMIC FORCES in", "?")))
    n = 4 if frc is nothing else 1
    assert len(result.steps) == 4 - n
    ((step, reason),) = reasons(result)
    assert step is None
    assert reason.startswith(f"{n} steps: they have no forces, neither in heat-frc-1.xyz nor in the main output")


def test_read_trajectory__a_cell_that_changes_has_to_be_there(copy):
    result = read(copy(MD, cell=cut("       3 ")))
    assert len(result.steps) == 3
    assert reasons(result) == [
        (None, "1 steps: the cell changes and heat-1.cell does not have it; run CP2K with &MOTION &PRINT &CELL")
    ]
    fixed = replaced("NPT_F", "NVT  ")
    result = read(copy(MD, cell=cut("       3 "), out=fixed))
    np.testing.assert_array_equal(result.steps[3].atoms.cell.array, [[5.43, 0, 0], [0.2, 5.43, 0], [0, 0, 5.5]])


def test_read_trajectory__energies_of_another_run(copy):
    result = read(copy(MD, out=replaced("-31.12067", "-31.99999")))
    assert len(result.steps) == 3
    assert reasons(result) == [(None, "1 steps: their energies are in no main output of the run")]


def test_read_trajectory__the_main_output_has_to_be_there(copy):
    with pytest.raises(DataError, match="the main output of heat is not beside it"):
        read_trajectory(copy(MD, out=nothing))


def test_read_trajectory__other_names(copy):
    path = copy(MD).rename(copy(MD).with_name("positions.xyz"))
    with pytest.raises(DataError, match=r"names like PROJECT-pos-1\.xyz"):
        read_trajectory(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pos": replaced("i =        2", "frame 2")}, "heat-pos-1.xyz: line 21 does not begin a frame"),
        ({"frc": replaced("       8\n", "atoms\n")}, "heat-frc-1.xyz: line 1 does not begin a frame"),
        ({"pos": replaced(" 2.8150000000", " x")}, "heat-pos-1.xyz: the frame that ends in line"),
        ({"cell": replaced("5.43", "x")}, "heat-1.cell: a line does not have a step and a cell"),
        ({"out": replaced(" CELL| Vector", "?")}, "cell or coordinates are not in this output"),
    ],
)
def test_read_trajectory__damage_is_one_error(copy, changes, reason):
    with pytest.raises(DataError, match=reason):
        read_trajectory(copy(MD, **changes))


def test_read_trajectory__another_number_of_forces(copy):
    def without_last(text):
        lines = text.replace("       8\n", "       7\n").splitlines()
        return "\n".join(line for k, line in enumerate(lines) if k % 10 != 9)

    with pytest.raises(DataError, match="step 0 has 8 atoms and 7 forces"):
        read_trajectory(copy(MD, frc=without_last))


def test_read_trajectory__what_is_no_file(copy):
    path = copy(MD, frc=nothing)
    path.with_name("heat-frc-1.xyz").mkdir()
    ((_, reason),) = reasons(read(path))
    assert reason.startswith("cannot be read (OSError")
    path.unlink()
    ((_, reason),) = reasons(read(path))
    assert reason.startswith("cannot be read")
