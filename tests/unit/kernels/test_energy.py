"""Energies, forces and stresses against the naive twin and by differences; tolerances 1e-12 and 1e-7, scaled by the values."""

from functools import cache

import numpy as np
import pytest

import naive
from acefit.basis.compiled import compile_potential
from acefit.evaluation.predict import predict_compiled, project_compiled
from acefit.potential.parameters import parameter_layout
from models import EMBEDDINGS, MODES, RADBASES, prepared, random_potential, random_structures

CASES = [
    *[{"n_elements": 2, "mode": mode, "npot": npot} for mode in MODES for npot in EMBEDDINGS],
    *[{"n_elements": n, "mode": mode} for n in (1, 3) for mode in MODES],
    *[{"n_elements": 2, "radbases": (radbase,), "core": False} for radbase in RADBASES],
    # Orders apart: only order 1, and higher orders without radial functions of order 1
    {"n_elements": 2, "orders": ((3,), (0,))},
    {"n_elements": 1, "orders": ((1, 2, 1, 0, 0, 1), (0, 3, 2, 0, 0, 1))},
    # Bonds of one element with different l, and without some in between
    {"n_elements": 2, "orders": ((3, 2, 1), (0, 3, 3)), "gaps": True},
]


def name_of(case):
    return "-".join(str(value) for value in case.values())


@cache
def potential_of(case):
    return random_potential(**dict(case))


def compiled_case(case):
    """Potential, compiled potential, parameters and structures of a case."""
    potential = potential_of(tuple(case.items()))
    compiled = compile_potential(potential)
    return potential, compiled, compiled.layout.vector(), random_structures(potential.elements)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_energies__equal_the_naive_twin(case):
    potential, compiled, x, frames = compiled_case(case)
    found = predict_compiled(compiled, x, *prepared(frames, potential.cutoff))
    expected = [naive.atomic_energies(potential, atoms) for atoms in frames]
    scale = 1 + np.abs(np.concatenate(expected)).max()
    np.testing.assert_allclose(found.atomic_energies, np.concatenate(expected), rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(found.energies, [e.sum() for e in expected], rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("case", CASES[:4], ids=name_of)
def test_projections__equal_the_naive_twin(case):
    potential, compiled, x, frames = compiled_case(case)
    found = project_compiled(compiled, x, *prepared(frames, potential.cutoff))
    layout, row = parameter_layout(potential), 0
    stored = list(potential.functions())
    for atoms in frames:
        for centre, neighbors in naive.environments(potential, atoms):
            order = [function for function in layout.functions() if function.elements[0] == centre]
            names = [function.identity for function in stored if function.elements[0] == centre]
            expected = naive.projections(potential, centre, neighbors)[[names.index(f.identity) for f in order]]
            scale = 1 + np.abs(expected).max()
            np.testing.assert_allclose(found.values[row], expected, rtol=0, atol=1e-13 * scale)
            core, cut = naive.core_and_cut(potential, centre, neighbors)
            np.testing.assert_allclose(found.cut[row], cut, atol=1e-12 * (1 + core))
            row += 1


def test_random_potential__with_gaps_has_bonds_that_lack_some_l():
    compiled = compiled_case(CASES[-1])[1]
    shape, found = compiled.shape, []
    for start, n in zip(shape.row_start, shape.n_rows, strict=True):
        found.append(sorted(set(shape.row_l[start : start + n].tolist())))
    assert found == [[1, 3], [0, 2], [0, 2], [1, 3]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n_elements", [1, 2, 3])
def test_random_structures__are_partly_switched_off(mode, n_elements):
    """The other tests mean something only if some atoms have 0 < f_cut < 1 and others 1."""
    potential, compiled, x, frames = compiled_case({"n_elements": n_elements, "mode": mode})
    cut = project_compiled(compiled, x, *prepared(frames, potential.cutoff)).cut
    assert ((cut > 0.02) & (cut < 0.98)).any()
    assert (cut == 1.0).any()


def test_forces__equal_the_differences_of_the_naive_twin():
    potential, compiled, x, frames = compiled_case({"n_elements": 2, "mode": "distance"})
    atoms = next(frame for frame in frames if frame.info["name"] == "close")
    found = predict_compiled(compiled, x, *prepared(atoms, potential.cutoff)).forces
    np.testing.assert_allclose(found, naive.forces(potential, atoms), rtol=0, atol=1e-8 * (1 + np.abs(found).max()))


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_forces__are_the_derivatives_of_the_energy(case):
    potential, compiled, x, frames = compiled_case(case)
    h, moved = 1e-5, []
    for atoms in frames:
        for i, axis, sign in np.ndindex(len(atoms), 3, 2):
            copy = atoms.copy()
            copy.positions[i, axis] += (h, -h)[sign]
            moved.append(copy)
    energies = predict_compiled(compiled, x, *prepared(moved, potential.cutoff)).energies.reshape(-1, 3, 2)
    forces = predict_compiled(compiled, x, *prepared(frames, potential.cutoff)).forces
    difference = -(energies[..., 0] - energies[..., 1]) / (2 * h)
    np.testing.assert_allclose(forces, difference, rtol=0, atol=1e-7 * (1 + np.abs(forces).max()))


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_stresses__are_the_derivatives_of_the_energy_by_strain(case):
    potential, compiled, x, frames = compiled_case(case)
    frames = [atoms for atoms in frames if atoms.cell.rank == 3]
    h, strained = 1e-5, []
    for atoms in frames:
        for (a, b), sign in ((ab, s) for ab in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)) for s in (1, -1)):
            copy, strain = atoms.copy(), np.eye(3)
            strain[a, b] += 0.5 * sign * h
            strain[b, a] += 0.5 * sign * h
            copy.set_cell(atoms.cell.array @ strain, scale_atoms=False)
            copy.positions = atoms.positions @ strain
            strained.append(copy)
    energies = predict_compiled(compiled, x, *prepared(strained, potential.cutoff)).energies.reshape(len(frames), 6, 2)
    stresses = predict_compiled(compiled, x, *prepared(frames, potential.cutoff)).stresses
    volumes = np.array([atoms.get_volume() for atoms in frames])[:, None]
    difference = (energies[..., 0] - energies[..., 1]) / (2 * h) / volumes
    np.testing.assert_allclose(stresses, difference, rtol=0, atol=1e-7 * (1 + np.abs(stresses).max()))
