import gzip
from pathlib import Path

import numpy as np
import pytest
from ase.geometry import cell_to_cellpar
from ase.units import Bohr, GPa, Hartree
from scipy.spatial.transform import Rotation

from acefit.collect.cp2k import read_cell, read_cp2k
from acefit.errors import DataError


@pytest.fixture
def write(tmp_path, outputs):
    """Write an output, in which texts are replaced, and give its path."""

    def write(name, *changes):
        packed = outputs / "cp2k" / name / "cp2k.out.gz"
        text = gzip.decompress(packed.read_bytes()).decode() if packed.exists() else packed.with_suffix("").read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "cp2k.out"
        path.write_text(text)
        return path

    return write


def test_read_cp2k__a_crystal(write):
    outcome = read_cp2k(write("bulk"))
    (atoms,) = outcome.frames
    assert outcome.verdict.finished
    assert outcome.notes == ()
    assert str(atoms.symbols) == "Si8"
    assert atoms.pbc.all()
    np.testing.assert_allclose(atoms.cell.array, [[5.43, 0, 0], [0.2, 5.43, 0], [0, 0, 5.5]])
    np.testing.assert_allclose(atoms.positions[3], [1.36, 4.075, 4.11])
    results = atoms.calc.results
    assert results["energy"] == results["free_energy"] == pytest.approx(-31.105565697189576 * Hartree)
    np.testing.assert_allclose(results["forces"][7], np.array([0.03774772, -0.00167508, -0.02185364]) * Hartree / Bohr)


@pytest.mark.parametrize("turned", [False, True])
def test_read_cell__lengths_and_angles_have_more_decimals(turned):
    exact = np.array([[5.43012345, 0, 0], [0.2004567, 5.4298765, 0], [-0.1003456, 0.3007654, 5.5002468]])
    if turned:
        exact = exact @ Rotation.from_euler("xyz", [0.3, -0.5, 1.1]).as_matrix()
    lengths, angles = np.split(cell_to_cellpar(exact), 2)
    lines = [
        f" CELL| Vector {name} [angstrom]: {x:9.3f} {y:9.3f} {z:9.3f}   |{name}| = {length:12.6f}"
        for name, (x, y, z), length in zip("abc", exact, lengths, strict=True)
    ]
    lines += [
        f" CELL| Angle ({pair}), x [degree]: {angle:10.6f}" for pair, angle in zip(("b,c", "a,c", "a,b"), angles, strict=True)
    ]
    cell, pbc = read_cell("\n".join(lines), Path("cp2k.out"))
    assert pbc.all()
    np.testing.assert_allclose(cell_to_cellpar(cell), [*lengths, *angles], atol=1e-6)
    np.testing.assert_allclose(cell, exact, atol=1e-3 if turned else 2e-6)
    with pytest.raises(DataError, match="cell or coordinates are not in this output"):
        read_cell("\n".join(lines[:-1]), Path("cp2k.out"))


def test_read_cp2k__stress_is_the_derivative_of_the_energy(write):
    """Energies of the same crystal one per cent larger and smaller, from two more runs of CP2K 2023.1."""
    (atoms,) = read_cp2k(write("bulk")).frames
    stretched, compressed = -31.116198035269402, -31.090923897013369
    per_strain = (stretched - compressed) * Hartree / 0.02
    trace = atoms.calc.results["stress"][:3].sum()
    assert trace == pytest.approx(per_strain / atoms.get_volume(), rel=0.02)


def test_read_cp2k__a_molecule_is_not_periodic(write):
    (atoms,) = read_cp2k(write("water")).frames
    assert str(atoms.symbols) == "OH2"
    assert not atoms.pbc.any()
    assert "stress" not in atoms.calc.results


def test_read_cp2k__newer_headings(write):
    old = read_cp2k(write("bulk")).frames[0].calc.results
    rows = "\n".join(
        f" FORCES| {k:6d} {x:14.8E} {y:14.8E} {z:14.8E} 1.0E-01" for k, (x, y, z) in enumerate(old["forces"] / Hartree * Bohr, 1)
    )
    path = write("bulk", ("energy [a.u.]:", "energy [hartree]"), ("ATOMIC FORCES in [a.u.]", "OLD"), ("[GPa]", "[bar]"))
    heading = " FORCES| Atomic forces [hartree/bohr]\n FORCES|   Atom     x               y               z               |f|\n"
    path.write_text(path.read_text().replace(" OLD\n", heading + rows + "\n"))
    new = read_cp2k(path).frames[0].calc.results
    assert new["energy"] == old["energy"]
    np.testing.assert_allclose(new["forces"], old["forces"], rtol=1e-6)
    np.testing.assert_allclose(new["stress"] * 1e4, old["stress"])
    assert abs(old["stress"][0]) == pytest.approx(11.2171167911 * GPa)


def test_read_cp2k__later_steps_have_no_coordinates(write):
    outcome = read_cp2k(write("opt"))
    assert len(outcome.frames) == 1
    assert outcome.notes == (
        "2 later steps: their coordinates are not in the output of CP2K, and its trajectory is not beside it",
    )


def test_read_cp2k__says_what_did_not_converge(write):
    assert read_cp2k(write("unconverged")).verdict.unconverged == {0}


def test_read_cp2k__without_an_energy(write):
    assert read_cp2k(write("water", ("ENERGY|", "?"))).frames == []


def test_read_cp2k__refuses_what_is_incomplete(write):
    with pytest.raises(DataError, match="PRINT_LEVEL MEDIUM"):
        read_cp2k(write("water", ("ATOMIC COORDINATES IN", "?")))
    with pytest.raises(DataError, match="2 forces for 3 atoms"):
        read_cp2k(write("water", ("      3      2      H ", " cut off ")))
    with pytest.raises(DataError, match="has 2 rows"):
        read_cp2k(write("bulk", ("STRESS|      z       -9.12", "cut off ")))
