"""Whole predictions: published end-to-end numbers, symmetries, cutoffs, tables, threads and errors."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from acefit.basis.compiled import compile_potential
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.errors import DataError
from acefit.evaluation.predict import predict, predict_compiled, project_compiled
from acefit.potential.bbasis import read_potential
from acefit.potential.model import Function
from bases import DATA
from models import MODES, prepared, random_potential, random_structures

DIMER = Atoms("AlNi", [[0, 0, 0], [0.5, 0.8, 2.2]])
TRIMER = Atoms("Al2Ni", [[0, 0, 0], [2.5, 0.3, 0.1], [0.9, 2.1, 0.6]])
CLOSE = Atoms("Al2Ni", [[0, 0, 0], [1.9, 0, 0.1], [0.3, 2.3, 0.2]])
CELL = Atoms(
    "Al2Ni2",
    [[0, 0, 0], [2.05, 1.9, 0.1], [2.0, 0.1, 1.95], [-0.1, 2.0, 2.1]],
    cell=[[4, 0, 0], [0.1, 3.9, 0], [0, 0.2, 4.1]],
    pbc=True,
)
ENERGIES = {
    "dimer": (DIMER, "distance", [0.2400959673796, 0.0377185296432]),
    "trimer": (TRIMER, "distance", [0.3875806029992, 0.3728580356792, 0.0602663682884]),
    "close": (CLOSE, "distance", [0.4590987277992, 0.387387084109, 0.05068480972337]),
    "close density": (CLOSE, "density", [0.72348210448, 0.6454774908002, 0.05575214594853]),
    "close zbl": (CLOSE, "zbl", [1.777877978098, 1.392116033628, 0.05068480972337]),
    "cell": (CELL, "distance", [1.446706129509, 1.447745544694, 0.7927399496595, 0.7923149084643]),
}
FORCES = {
    "dimer": [[-0.040706299417, -0.065130079067, -0.17910771743], [0.040706299417, 0.065130079067, 0.17910771743]],
    "trimer": [
        [-0.53115858401, -0.22219204726, -0.066109547019],
        [0.57891874134, -0.079120969074, -0.018914257862],
        [-0.047760157329, 0.30131301633, 0.085023804881],
    ],
    "close zbl": [
        [-20.262948809, -1.3991332777, -1.1785297193],
        [20.346225146, -0.38204722444, 1.0402552071],
        [-0.0832763373, 1.7811805022, 0.13827451217],
    ],
    "cell": [
        [0.02078247938, -0.016944024241, -0.066818243384],
        [0.0028423226483, 0.022024819084, 0.06609281882],
        [-0.0060645267794, -0.0004616549613, -0.028480672522],
        [-0.017560275249, -0.0046191398822, 0.029206097087],
    ],
}
CELL_STRESS = [-0.085188056093, -0.085463065004, -0.049144662657, -0.0014728988919, -7.5036177663e-05, -4.3969440243e-05]


@cache
def demo(mode, tables):
    potential = read_potential(DATA / "demo.yaml")
    core = {"core_repulsion": (1.0, 1.0)} if mode == "zbl" else {}
    bonds = {pair: replace(bond, inner_cutoff_type=mode, **core) for pair, bond in potential.bonds.items()}
    return compile_potential(replace(potential, bonds=bonds), tables)


def evaluate(compiled, atoms, **options):
    structures, neighbors = prepared(atoms, compiled.potential.cutoff)
    return predict_compiled(compiled, compiled.layout.vector(), structures, neighbors, **options)


@pytest.mark.parametrize("tables", [True, False], ids=["tables", "analytic"])
@pytest.mark.parametrize("system", ENERGIES)
def test_predict__demo_potential_has_the_published_energies(system, tables):
    atoms, mode, expected = ENERGIES[system]
    found = evaluate(demo(mode, tables), atoms).atomic_energies
    # Printed digits with tables; analytically a neighbour in an inner window counts up to 2e-10
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-12 if tables else 2e-10)


@pytest.mark.parametrize("system", FORCES)
def test_predict__demo_potential_has_the_published_forces(system):
    atoms, mode, _ = ENERGIES[system]
    found = evaluate(demo(mode, True), atoms).forces
    np.testing.assert_allclose(found, FORCES[system], rtol=0, atol=1e-9 * np.abs(FORCES[system]).max() + 1e-11)


def test_predict__demo_potential_has_the_published_stress():
    np.testing.assert_allclose(evaluate(demo("distance", True), CELL).stresses[0], CELL_STRESS, rtol=0, atol=1e-11)


@cache
def compiled_random(n_elements, mode="distance", tables=False, **options):
    return compile_potential(random_potential(n_elements, mode=mode, **options), tables)


def turned(atoms, matrix):
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array @ matrix.T, scale_atoms=False)
    copy.positions = atoms.positions @ matrix.T
    return copy


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("inversion", [1, -1])
def test_predict__rotations_and_inversion_turn_forces_and_stresses(mode, inversion):
    compiled, matrix = compiled_random(2, mode), inversion * Rotation.random(random_state=4).as_matrix()
    frames = random_structures(compiled.potential.elements)
    one, two = evaluate(compiled, frames), evaluate(compiled, [turned(atoms, matrix) for atoms in frames])
    scale = 1 + np.abs(one.forces).max()
    np.testing.assert_allclose(two.atomic_energies, one.atomic_energies, rtol=0, atol=1e-11 * scale)
    np.testing.assert_allclose(two.forces, one.forces @ matrix.T, rtol=0, atol=1e-11 * scale)
    voigt = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    full = np.zeros((len(frames), 3, 3))
    for k, (a, b) in enumerate(voigt):
        full[:, a, b] = full[:, b, a] = one.stresses[:, k]
    expected = np.transpose([(matrix @ full @ matrix.T)[:, a, b] for a, b in voigt])
    np.testing.assert_allclose(two.stresses, expected, rtol=0, atol=1e-11 * scale)


def test_predict__translations_and_wrapping_change_nothing():
    compiled = compiled_random(2)
    frames = random_structures(compiled.potential.elements)
    moved = [atoms.copy() for atoms in frames]
    for atoms in moved:
        atoms.positions += [0.7, -1.9, 23.0]
        atoms.wrap()
    one, two = evaluate(compiled, frames), evaluate(compiled, moved)
    scale = 1 + np.abs(one.forces).max()
    np.testing.assert_allclose(two.atomic_energies, one.atomic_energies, rtol=0, atol=1e-11 * scale)
    np.testing.assert_allclose(two.forces, one.forces, rtol=0, atol=1e-10 * scale)


def test_predict__permutations_permute_the_results():
    compiled, rng = compiled_random(3), np.random.default_rng(0)
    frames = random_structures(compiled.potential.elements)
    orders = [rng.permutation(len(atoms)) for atoms in frames]
    one = evaluate(compiled, frames)
    two = evaluate(compiled, [atoms[order] for atoms, order in zip(frames, orders, strict=True)])
    starts = np.cumsum([0, *(len(atoms) for atoms in frames)])
    rows = np.concatenate([start + order for start, order in zip(starts[:-1], orders, strict=True)])
    np.testing.assert_allclose(two.atomic_energies, one.atomic_energies[rows], rtol=0, atol=1e-12)
    np.testing.assert_allclose(two.forces, one.forces[rows], rtol=0, atol=1e-11)


@pytest.mark.parametrize("mode", MODES)
def test_predict__forces_of_each_structure_add_up_to_zero(mode):
    compiled = compiled_random(2, mode)
    structures, _ = prepared(random_structures(compiled.potential.elements), 1.0)
    forces = evaluate(compiled, random_structures(compiled.potential.elements)).forces
    sums = np.add.reduceat(forces, structures.offsets[:-1])
    np.testing.assert_allclose(sums, 0.0, atol=1e-11 * (1 + np.abs(forces).max()))


def test_predict__supercells_repeat_the_results():
    compiled = compiled_random(2)
    frames = [atoms for atoms in random_structures(compiled.potential.elements) if atoms.pbc.all()]
    one, two = evaluate(compiled, frames), evaluate(compiled, [atoms.repeat((2, 1, 3)) for atoms in frames])
    np.testing.assert_allclose(two.energies, 6 * one.energies, rtol=1e-12)
    np.testing.assert_allclose(two.stresses, one.stresses, rtol=0, atol=1e-11)
    rows = np.concatenate([np.tile(np.arange(a, b), 6) for a, b in _ranges(frames)])
    np.testing.assert_allclose(two.forces, one.forces[rows], rtol=0, atol=1e-11)


def _ranges(frames):
    ends = np.cumsum([len(atoms) for atoms in frames])
    return zip(ends - [len(atoms) for atoms in frames], ends, strict=True)


def test_predict__an_atom_that_crosses_the_cutoff_changes_nothing():
    compiled = compiled_random(1, radbases=("SBessel",))
    rcut = compiled.potential.cutoff
    distances = [rcut - 1e-7, np.nextafter(rcut, 0), rcut, np.nextafter(rcut, 9), rcut + 1e-7]
    trimer = [Atoms("Al3", [[0, 0, 0], [2.5, 0, 0], [0, 0, d]]) for d in distances]
    found = evaluate(compiled, trimer)
    energies, forces = found.energies, found.forces.reshape(5, 3, 3)
    np.testing.assert_allclose(energies, energies[2], rtol=0, atol=1e-12)
    np.testing.assert_allclose(forces[[1, 2, 3]], forces[[2, 2, 2]], rtol=0, atol=1e-12)
    # The curvature of the radial functions at the cutoff times 1e-7
    np.testing.assert_allclose(forces, np.broadcast_to(forces[2], forces.shape), rtol=0, atol=1e-5)
    assert not forces[2, 2].any()


def test_predict__the_cutoff_is_that_of_the_bond():
    compiled = compiled_random(2)
    bonds = compiled.potential.bonds
    for pair, bond in bonds.items():
        inside, outside = (Atoms(pair, [[0, 0, 0], [0, 0, bond.rcut + d]]) for d in (-0.2, 0.0))
        assert evaluate(compiled, inside).energies[0] != 0.0
        assert evaluate(compiled, outside).energies[0] == 0.0
    assert len({bond.rcut for bond in bonds.values()}) == len(bonds)


def test_predict__a_longer_neighbor_list_changes_nothing():
    compiled = compiled_random(2)
    structures = StructureSet.from_ase(random_structures(compiled.potential.elements))
    x, cutoff = compiled.layout.vector(), compiled.potential.cutoff
    one, two = (predict_compiled(compiled, x, structures, build(structures, c)) for c in (cutoff, cutoff + 1.5))
    np.testing.assert_allclose(two.forces, one.forces, rtol=0, atol=1e-12)
    np.testing.assert_allclose(two.energies, one.energies, rtol=1e-13)


@pytest.mark.parametrize(("mode", "energy", "force"), [("distance", 2e-7, 1e-4), ("density", 2e-7, 1e-4), ("zbl", 2e-7, 1e-4)])
def test_predict__tables_agree_with_the_analytic_functions(mode, energy, force):
    analytic, tables = compiled_random(2, mode), compiled_random(2, mode, tables=True)
    frames = random_structures(analytic.potential.elements)
    one, two = evaluate(analytic, frames), evaluate(tables, frames)
    difference = np.abs(two.atomic_energies - one.atomic_energies).max()
    assert 0.0 < difference < energy
    np.testing.assert_allclose(two.forces, one.forces, rtol=0, atol=force)


@pytest.mark.parametrize("mode", MODES)
def test_predict__isolated_atoms_have_no_energy_and_no_force(mode):
    found = evaluate(compiled_random(2, mode), Atoms("Cu", [[1, 2, 3]]))
    assert found.atomic_energies == found.energies == 0.0
    assert not found.forces.any()
    assert np.isnan(found.stresses).all()


def test_predict__stresses_need_a_volume():
    found = evaluate(compiled_random(1), [Atoms("Al2", [[0, 0, 0], [0, 0, 2.5]]), Atoms("Al", cell=np.eye(3) * 3, pbc=True)])
    assert np.isnan(found.stresses[0]).all()
    assert np.isfinite(found.stresses[1]).all()


def test_predict__virials_of_atoms_add_up_to_the_stress():
    compiled = compiled_random(2)
    frames = [atoms for atoms in random_structures(compiled.potential.elements) if atoms.cell.rank == 3]
    structures, _ = prepared(frames, 1.0)
    found = evaluate(compiled, frames)
    sums = np.add.reduceat(found.atomic_virials, structures.offsets[:-1]) / structures.volumes[:, None]
    np.testing.assert_allclose(sums, found.stresses, rtol=0, atol=1e-13)


def test_predict__no_structures_give_empty_results():
    found = evaluate(compiled_random(1), [])
    assert not any(len(values) for values in found)
    assert found.forces.shape == (0, 3)
    assert found.stresses.shape == (0, 6)
    projections = project_compiled(compiled_random(1), compiled_random(1).layout.vector(), *prepared([], 5.0))
    assert projections.values == []


def test_predict__a_structure_without_atoms_has_no_energy():
    frames = [Atoms("Al2", [[0, 0, 0], [0, 0, 2.5]]), Atoms(), Atoms("Al2", [[0, 0, 0], [0, 0, 2.6]])]
    found, alone = evaluate(compiled_random(1), frames), evaluate(compiled_random(1), frames[::2])
    np.testing.assert_array_equal(found.energies, [alone.energies[0], 0.0, alone.energies[1]])


@pytest.mark.parametrize("n_atoms", [5, 400], ids=["many structures", "one large structure"])
def test_predict__results_do_not_depend_on_the_number_of_threads(n_atoms):
    compiled = compiled_random(2, "zbl")
    if n_atoms == 5:
        frames = [atoms for seed in range(3) for atoms in random_structures(compiled.potential.elements, seed)]
    else:
        cell = next(a for a in random_structures(compiled.potential.elements) if a.info["name"] == "triclinic")
        frames = [cell.repeat((5, 5, 4))]
    results = [evaluate(compiled, frames, threads=threads) for threads in (1, 2, 3, 2)]
    for result in results[1:]:
        for one, two in zip(results[0], result, strict=True):
            np.testing.assert_array_equal(one, two)


def test_predict__dividing_one_large_structure_keeps_the_results():
    compiled = compiled_random(2)
    cell = next(a for a in random_structures(compiled.potential.elements) if a.info["name"] == "triclinic")
    one, large = evaluate(compiled, cell), evaluate(compiled, cell.repeat((4, 4, 4)))
    np.testing.assert_allclose(large.energies, 64 * one.energies, rtol=1e-12)
    np.testing.assert_allclose(large.forces, np.tile(one.forces, (64, 1)), rtol=0, atol=1e-11)


def test_predict__compiles_the_potential_itself():
    potential = random_potential(1)
    structures, neighbors = prepared(random_structures(("Al",)), potential.cutoff)
    compiled = compile_potential(potential)
    expected = predict_compiled(compiled, compiled.layout.vector(), structures, neighbors)
    np.testing.assert_array_equal(predict(potential, structures, neighbors).forces, expected.forces)


def test_predict__elements_that_are_not_in_the_potential_are_named():
    with pytest.raises(DataError, match="elements Cu, Ni are not in the potential, which has Al"):
        evaluate(compiled_random(1), Atoms("AlNiCu", [[0, 0, 0], [0, 0, 3], [0, 0, 6]]))


@pytest.mark.parametrize(("tables", "distance"), [(False, 1e-9), (True, 5e-4)])
def test_predict__coinciding_atoms_are_refused(tables, distance):
    compiled = compile_potential(random_potential(1), tables)
    with pytest.raises(DataError, match=r"two atoms are .* A apart; the potential needs at least"):
        evaluate(compiled, Atoms("Al2", [[0, 0, 0], [0, 0, distance]]))


def test_predict__placeholder_radial_functions_are_zero():
    potential = random_potential(2, core=False)
    bonds = dict(potential.bonds)
    bonds["Al", "Al"] = replace(bonds["Al", "Al"], radbase="TEST_placeholder")
    compiled = compile_potential(replace(potential, bonds=bonds))
    found = evaluate(compiled, [Atoms("Al2", [[0, 0, 0], [0, 0, 2.5]]), Atoms("AlCu", [[0, 0, 0], [0, 0, 2.5]])])
    assert found.energies[0] == 0.0
    assert found.energies[1] != 0.0


@pytest.mark.parametrize("tables", [False, True])
def test_predict__without_any_radial_functions_there_is_no_energy(tables):
    for potential in (
        random_potential(1, ("TEST_placeholder",), core=False),
        random_potential(1, orders=((0, 2), (0, 1)), core=False),
    ):
        found = evaluate(compile_potential(potential, tables), Atoms("Al2", [[0, 0, 0], [0, 0, 2.5]]))
        assert found.energies[0] == 0.0
        assert not found.forces.any()


def test_predict__entries_without_effect_have_none():
    potential = random_potential(1, ("SBessel",))
    bond = potential.bonds["Al", "Al"]
    found = []
    for changes in ({}, {"cutoff_function": "poly"}, {"radparameters": (7.0,)}):
        changed = replace(potential, bonds={("Al", "Al"): replace(bond, **changes)})
        found.append(evaluate(compile_potential(changed), Atoms("Al2", [[0, 0, 0], [0, 0, 2.5]])).energies[0])
    assert found[0] == found[1] == found[2] != 0.0


def test_predict__skipped_functions_take_no_part():
    potential = read_potential(DATA / "demo.yaml")
    block = potential.blocks[0]
    skipped = replace(block, functions=(block.functions[0]._replace(skip=True), *block.functions[1:]))
    zeroed = replace(block, functions=(block.functions[0]._replace(coeffs=(0.0, 0.0)), *block.functions[1:]))
    energies = []
    for variant in (skipped, zeroed, block):
        changed = replace(potential, blocks=(variant, *potential.blocks[1:]))
        energies.append(predict(changed, *prepared(TRIMER, potential.cutoff)).energies[0])
    assert energies[0] == pytest.approx(energies[1], rel=1e-13)
    assert energies[0] != pytest.approx(energies[2], rel=1e-3)


def test_predict__equal_functions_add_up():
    potential = read_potential(DATA / "demo.yaml")
    block = potential.blocks[0]
    last: Function = block.functions[-1]
    halves = last._replace(coeffs=tuple(0.5 * c for c in last.coeffs))
    doubled = replace(block, functions=(*block.functions[:-1], halves, halves))
    changed = replace(potential, blocks=(doubled, *potential.blocks[1:]))
    one, two = (predict(p, *prepared(TRIMER, potential.cutoff)).forces for p in (potential, changed))
    np.testing.assert_allclose(two, one, rtol=0, atol=1e-13)


def test_project_compiled__gives_densities_and_slopes_without_the_cut():
    compiled = compiled_random(2, "distance")
    x, potential = compiled.layout.vector(), compiled.potential
    found = project_compiled(compiled, x, *prepared(CLOSE_CU, potential.cutoff))
    functions = compiled.layout.functions()
    for row, symbol in enumerate(CLOSE_CU.get_chemical_symbols()):
        embedding = potential.embeddings[symbol]
        coefficients = np.array([f.coeffs for f in functions if f.elements[0] == symbol])
        rho = found.values[row] @ coefficients
        np.testing.assert_allclose(found.rho[row, : embedding.ndensity], rho, rtol=1e-12)
    assert found.slope.shape == found.rho.shape


def test_project_compiled__needs_no_functions_of_order_one():
    potential = random_potential(1)
    blocks = tuple(replace(b, functions=tuple(f for f in b.functions if f.order > 1)) for b in potential.blocks)
    without = replace(potential, blocks=blocks)
    compiled, whole = compile_potential(without), compile_potential(potential)
    atoms = Atoms("Al3", CLOSE.positions)
    found, expected = (
        project_compiled(c, c.layout.vector(), *prepared(atoms, potential.cutoff)).table for c in (compiled, whole)
    )
    assert found.shape[1] > 0
    np.testing.assert_allclose(found, expected[:, -found.shape[1] :], rtol=1e-13)


CLOSE_CU = Atoms("Al2Cu", CLOSE.positions)
