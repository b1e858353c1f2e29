"""The synthetic sets by which growth is measured, and what is made of the logs."""

import ase.io
import numpy as np
import pytest

import measure_growth
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet


def labelled(atoms):
    measure_growth.add_labels([atoms])
    return atoms.calc.results


def test_add_labels__forces_and_stresses_are_derivatives_of_the_energy():
    atoms = measure_growth.make_structure(np.random.default_rng(3))
    results, h = labelled(atoms), 1e-4
    energies = []
    for sign in (1, -1):
        moved, strained = atoms.copy(), atoms.copy()
        moved.positions[5, 1] += sign * h
        strain = np.eye(3) + sign * h / 2 * np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0]])
        strained.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        energies.append([labelled(moved)["energy"], labelled(strained)["energy"]])
    force, stress = (np.array(energies[0]) - energies[1]) / (2 * h)
    assert -force == pytest.approx(results["forces"][5, 1], abs=1e-6)
    assert stress / atoms.get_volume() == pytest.approx(results["stress"][3], abs=1e-6)


def test_write_set__has_so_many_atoms_with_about_a_hundred_neighbours(tmp_path):
    size = measure_growth.write_set(tmp_path / "set.xyz", 2000)
    frames = ase.io.read(tmp_path / "set.xyz", ":")
    assert (sum(map(len, frames)), len(frames)) == (size["atoms"], size["structures"])
    assert 2000 <= size["atoms"] < 2500
    pairs = build(StructureSet.from_ase(frames), measure_growth.CUTOFF)
    assert 95 < pairs.n_pairs / pairs.n_atoms < 120


def test_table__shows_the_largest_job_and_the_power_of_the_growth(tmp_path):
    log = "x DEBUG acefit.workflow - done in {} s\nx DEBUG acefit.workflow - {} s of the processor, at most {} MB of memory\n"
    stage = measure_growth.measured([log.format(3.0, 4.5, 200), log.format(2.0, 2.5, 300)])
    assert stage == {"seconds": 3.0, "processor": 7.0, "megabytes": 300.0}
    results = []
    for n in (10**4, 10**5):
        stages = {stage: {"seconds": 2e-4 * n, "processor": 3e-4 * n, "megabytes": 200.0} for stage in measure_growth.STAGES}
        results.append({"atoms": n, "pairs": 100 * n, "stages": stages})
    assert "| `fit` | 2.0 s (3.0 s), 200 MB | 20.0 s (30.0 s), 200 MB | 1.00 |" in measure_growth.table(results)
    measure_growth.draw(results, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000
