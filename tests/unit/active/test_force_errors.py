import numpy as np
import pytest

from acefit.active.force_errors import force_errors, parse_limit, well_described
from acefit.data.structures import StructureSet
from acefit.errors import ActiveSetError
from acefit.evaluation.predict import predict
from active_sets import alloys, small_potential
from models import prepared


def structures_with_errors(errors):
    """One alloy whose reference forces are wrong by so much, in eV/Angstrom."""
    atoms = alloys(1)[0]
    atoms.symbols[:] = "Al"
    forces = predict(small_potential(), *prepared(atoms, small_potential().cutoff)).forces
    atoms.calc.results["forces"] = forces + np.outer(errors, [0.6, 0.0, 0.8])
    return StructureSet.from_ase([atoms])


ERRORS = np.array([0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1, 5.0])


def test_force_errors__are_norms_and_nan_without_references():
    np.testing.assert_allclose(force_errors(small_potential(), structures_with_errors(ERRORS)), ERRORS, rtol=1e-9)
    assert np.isnan(force_errors(small_potential(), StructureSet.from_ase(alloys(2, labels=False)))).all()


@pytest.mark.parametrize(("limit", "accepted"), [(None, ERRORS < 1), (0.15, ERRORS < 0.15), (9.0, ERRORS < 9)])
def test_well_described__leaves_out_outliers_or_what_is_above_a_limit(limit, accepted):
    assert well_described(small_potential(), structures_with_errors(ERRORS), limit).tolist() == accepted.tolist()


def test_well_described__keeps_atoms_without_references():
    assert well_described(small_potential(), StructureSet.from_ase(alloys(2, labels=False))).all()


@pytest.mark.parametrize("limit", [0.0, -1.0, np.nan])
def test_well_described__needs_a_positive_limit(limit):
    with pytest.raises(ActiveSetError, match="must be positive"):
        well_described(small_potential(), structures_with_errors(ERRORS), limit)


def test_parse_limit__knows_numbers_auto_and_none():
    assert (parse_limit("none"), parse_limit("auto").value, parse_limit("0.3").value) == (None, None, 0.3)
    with pytest.raises(ActiveSetError, match="'much' is no number, nor auto or none"):
        parse_limit("much")
