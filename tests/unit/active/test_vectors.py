import numpy as np
import pytest

from acefit.active.vectors import Environments, Rows, environment_vectors, grade_rows, vector_widths
from acefit.basis.compiled import compile_potential
from acefit.data.structures import StructureSet
from acefit.errors import ActiveSetError
from acefit.evaluation.predict import project_compiled
from models import prepared, random_potential, random_structures

POTENTIAL = random_potential(2)
FRAMES = random_structures(POTENTIAL.elements)


def projected():
    compiled = compile_potential(POTENTIAL)
    return project_compiled(compiled, compiled.layout.vector(), *prepared(FRAMES, POTENTIAL.cutoff))


def test_environment_vectors__are_projections_or_derivatives_with_the_density_slow():
    found = projected()
    atoms = np.flatnonzero(found.elements == 0)
    linear = environment_vectors(found, 0, 2, "linear", atoms)
    full = environment_vectors(found, 0, 2, "full", atoms)
    for row, atom in enumerate(atoms):
        b = found.values[atom]
        assert np.array_equal(linear[row], b)
        assert np.array_equal(full[row], np.concatenate([found.slope[atom, p] * b for p in range(2)]))
    assert full.shape[1] == vector_widths(POTENTIAL, "full")["Al"] == 2 * vector_widths(POTENTIAL, "linear")["Al"]


def test_vector_widths__follow_the_number_of_densities_of_each_element():
    potential = random_potential(3)
    linear, full = vector_widths(potential, "linear"), vector_widths(potential, "full")
    assert full == {"Al": 2 * linear["Al"], "Cu": linear["Cu"], "Ni": 3 * linear["Ni"]}


def test_vector_widths__full_needs_more_than_one_density():
    section = random_potential(1)
    one = {"Al": type(section.embeddings["Al"])("FinnisSinclair", (1.0, 1.0))}
    blocks = [[f._replace(coeffs=f.coeffs[:1]) for f in block.functions] for block in section.blocks]
    potential = type(section)(
        section.elements,
        one,
        section.bonds,
        tuple(type(b)(b.elements, tuple(fs)) for b, fs in zip(section.blocks, blocks, strict=True)),
    )
    with pytest.raises(ActiveSetError, match="one density; take the linear active set"):
        vector_widths(potential, "full")


@pytest.mark.parametrize("most_atoms", [1, 7, 1000])
def test_environments__batches_are_all_atoms_in_order(most_atoms):
    found = projected()
    structures = StructureSet.from_ase(FRAMES)
    environments = Environments(POTENTIAL, structures, "linear", most_atoms)
    batches = list(environments.batches())
    assert len(batches) == environments.n_batches == {1: len(FRAMES), 1000: 1}.get(most_atoms, environments.n_batches)
    for mu, symbol in enumerate(POTENTIAL.elements):
        rows = [batch[symbol] for batch in batches]
        atoms = np.concatenate([r.atom for r in rows])
        assert atoms.tolist() == np.flatnonzero(found.elements == mu).tolist()
        assert np.array_equal(np.concatenate([r.structure for r in rows]), structures.structure_of_atom[atoms])
        expected = found.table[atoms, : found.n_functions[mu]]
        np.testing.assert_allclose(np.concatenate([r.vectors for r in rows]), expected, rtol=1e-11, atol=1e-13)


def test_environments__leave_out_atoms_and_show_progress():
    structures, shown = StructureSet.from_ase(FRAMES), []
    used = np.zeros(structures.n_atoms, dtype=bool)
    used[[0, 5, 20]] = True

    def track(items, what, total):
        shown.append((what, total))
        return items

    environments = Environments(POTENTIAL, structures, "linear", 10, used, track=track)
    atoms = [atom for batch in environments.batches() for rows in batch.values() for atom in rows.atom]
    assert sorted(atoms) == [0, 5, 20]
    assert shown == [("environments", environments.n_batches)]


def test_grade_rows__is_the_largest_entry_of_each_row(monkeypatch):
    rng = np.random.default_rng(0)
    vectors, inverse = rng.normal(size=(50, 4)), rng.normal(size=(4, 4))
    monkeypatch.setattr("acefit.active.vectors.ROWS_AT_ONCE", 7)
    np.testing.assert_allclose(grade_rows(vectors, inverse), np.abs(vectors @ inverse).max(axis=1), rtol=1e-14)
    assert grade_rows(vectors[:0], inverse).shape == (0,)


def test_rows__are_joined_and_taken():
    rows = Rows(np.eye(3), np.arange(3), np.arange(3) + 10)
    joined = Rows.joined(Rows.empty(3), rows)
    assert joined.take(np.array([2])).atom.tolist() == [12]
