import numpy as np
import pytest

from acefit.active.grade import grade_projections, grade_structures
from acefit.basis.compiled import compile_potential
from acefit.evaluation.predict import project_compiled
from active_sets import alloys, small_set
from models import prepared


@pytest.mark.parametrize("kind", ["linear", "full"])
def test_grade_projections__is_the_largest_product_of_each_atom(kind):
    potential, _, built = small_set(kind)
    compiled, active_set = compile_potential(potential), built.active_set
    found = project_compiled(compiled, compiled.layout.vector(), *prepared(alloys(3, shake=0.3), potential.cutoff))
    gamma = grade_projections(compiled, active_set, found)
    for atom, mu in enumerate(found.elements):
        b, p = found.values[atom], compiled.shape.n_density[mu]
        v = b if kind == "linear" else np.concatenate([slope * b for slope in found.slope[atom, :p]])
        matrix = active_set.inverses[potential.elements[mu]]
        expected = max(abs(sum(v[f] * matrix[f, k] for f in range(len(v)))) for k in range(len(v)))
        assert gamma[atom] == pytest.approx(expected, rel=1e-9)


def test_grade_structures__does_not_depend_on_the_batches():
    potential, structures, built = small_set()
    one, many = (grade_structures(potential, built.active_set, structures, memory=memory) for memory in (None, 1))
    np.testing.assert_allclose(one, many, rtol=0, atol=1e-6)


def test_grade_structures__with_tables_is_nearly_the_same():
    potential, structures, built = small_set()
    analytic, tables = (grade_structures(potential, built.active_set, structures, tables=t) for t in (False, True))
    assert 0 < np.abs(analytic - tables).max() < 1e-2
