"""Rows of metrics."""

import math

import numpy as np
import pytest

from acefit.fit.metrics import (
    ERROR_METRICS,
    LOSS_METRICS,
    TEXT_COLUMNS,
    ErrorMeter,
    Reference,
    loss_parts,
    low_energy_set,
    text_header,
    text_row,
)

NAN = math.nan


def reference(**changes):
    fields = {
        "offsets": np.array([0, 2, 3, 5]),
        "energies": np.array([-2.0, -0.9, 4.0]),
        "forces": np.arange(15.0).reshape(5, 3) / 10,
        "stresses": np.array([[NAN] * 6, [0.1, 0.0, 0.0, 0.2, 0.0, 0.0], [NAN] * 6]),
        "w_energy": np.array([0.5, 0.3, 0.2]),
        "w_force": np.full(5, 0.2),
        "w_stress": np.array([0.0, 1.0, 0.0]),
        "is_low": np.array([True, True, False]),
    }
    return Reference(**{**fields, **changes})


def predictions(r):
    de = np.array([0.2, -0.3, 0.4])
    df = np.zeros((5, 3))
    df[0], df[3] = [3.0, 4.0, 0.0], [0.0, 0.0, -1.0]
    ds = np.zeros((3, 6))
    ds[1] = [0.1, 0.0, 0.0, 0.0, 0.2, 0.0]
    return r.energies + de, r.forces + df, np.nan_to_num(r.stresses) + ds


def test_measure__equals_the_definitions():
    r = reference()
    found = ErrorMeter(r).measure(*predictions(r))
    assert set(found) == {*ERROR_METRICS, "e_loss", "f_loss", "s_loss"}
    de = np.array([0.1, -0.3, 0.2])
    assert found["rmse_epa"] == pytest.approx(np.sqrt(np.mean(de**2)), rel=1e-13)
    assert found["mae_epa"] == pytest.approx(0.2, rel=1e-13)
    assert found["max_abs_epa"] == pytest.approx(0.3, rel=1e-13)
    assert found["rmse_f"] == pytest.approx(np.sqrt(26.0 / 5), rel=1e-13)
    assert found["mae_f"] == pytest.approx(6.0 / 5, rel=1e-13)
    assert found["rmse_f_comp"] == pytest.approx(np.sqrt(26.0 / 15), rel=1e-13)
    assert found["mae_f_comp"] == pytest.approx(8.0 / 15, rel=1e-13)
    assert found["max_abs_f_comp"] == pytest.approx(4.0, rel=1e-13)
    assert found["e_loss"] == pytest.approx(0.5 * 0.01 + 0.3 * 0.09 + 0.2 * 0.04, rel=1e-13)
    assert found["f_loss"] == pytest.approx(0.2 * 26.0, rel=1e-13)
    assert found["s_loss"] == pytest.approx(0.01 + 2 * 0.04, rel=1e-12)
    # structures 0 (-1 eV/atom) and 1 (-0.9) are low, 2 (2.0) is not
    assert found["low_mae_epa"] == pytest.approx(0.2, rel=1e-13)
    assert found["low_max_abs_f_comp"] == pytest.approx(4.0, rel=1e-13)
    assert found["low_rmse_f"] == pytest.approx(np.sqrt(25.0 / 3), rel=1e-13)


def test_measure__absent_references_do_not_count():
    forces = reference().forces.copy()
    forces[3] = NAN
    r = reference(energies=np.array([-2.0, NAN, 4.0]), forces=forces)
    energies, predicted_forces, stresses = predictions(reference())
    found = ErrorMeter(r).measure(energies, predicted_forces, stresses)
    assert found["mae_epa"] == pytest.approx(0.15, rel=1e-13)
    assert found["rmse_f"] == pytest.approx(np.sqrt(25.0 / 4), rel=1e-13)
    assert found["e_loss"] == pytest.approx(0.5 * 0.01 + 0.2 * 0.04, rel=1e-13)
    assert found["f_loss"] == pytest.approx(0.2 * 25.0, rel=1e-13)


def test_measure__sets_without_data_give_nan():
    r = reference(energies=np.full(3, NAN), forces=np.full((5, 3), NAN))
    found = ErrorMeter(r).measure(np.zeros(3), np.zeros((5, 3)), np.zeros((3, 6)))
    assert math.isnan(found["rmse_epa"])
    assert math.isnan(found["low_rmse_f"])
    assert (found["e_loss"], found["f_loss"]) == (0.0, 0.0)


def test_low_energy_set__prefers_the_distance_to_the_hull():
    energies = np.array([0.0, 0.9, 1.1, 0.1, NAN])
    np.testing.assert_array_equal(low_energy_set(energies, np.full(5, NAN)), [True, True, False, True, False])
    hull = np.array([NAN, 1.2, 1.0, NAN, NAN])
    np.testing.assert_array_equal(low_energy_set(energies, hull), [True, False, True, True, False])


def test_loss_parts__add_up():
    errors = {"e_loss": 2.0, "f_loss": 3.0, "s_loss": 5.0}
    terms = {"l1": 0.1, "l2": 0.2, "w0": 0.01, "w1": 0.02, "w2": 0.03, "w_orth": 0.04}
    found = loss_parts(errors, terms, kappa=0.25, kappa_stress=0.5)
    assert tuple(found) == LOSS_METRICS
    assert found["loss"] == pytest.approx(1.5 + 0.75 + 2.5 + 0.4, rel=1e-13)
    assert found["reg_loss"] == pytest.approx(0.4, rel=1e-13)
    assert found["extra_regularization_contrib"] == pytest.approx(0.1, rel=1e-13)
    assert [found[f"smooth_w{q}"] for q in (1, 2, 3)] == [0.01, 0.02, 0.03]


def test_text_row__has_the_columns_of_the_reference_and_reads_back_exactly():
    row = dict.fromkeys(TEXT_COLUMNS, 1.0 / 3.0) | {"ladder_step": 0, "cycle_step": 1, "iter_num": 12, "nfuncs": 30, "ncoefs": 90}
    header, line = text_header(), text_row(row)
    assert header.split() == list(TEXT_COLUMNS)
    assert len(header) == len(line) == sum(TEXT_COLUMNS.values()) + len(TEXT_COLUMNS)
    assert [float(text) for text in line.split()] == [row[name] for name in TEXT_COLUMNS]
    assert text_row(row | {"loss": np.float64(0.5)}).split()[3] == "0.5"
