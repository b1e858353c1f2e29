import numpy as np
import pytest

from acefit.analysis.metrics import compute_energy_metrics, compute_force_metrics, compute_stress_metrics


def test_energy_metrics__match_hand_computed_values():
    metrics = compute_energy_metrics(np.array([0.003, -0.004, np.nan]))
    assert metrics["rmse_epa"] == pytest.approx(np.sqrt((9 + 16) / 2) * 1e-3)
    assert metrics["mae_epa"] == pytest.approx(3.5e-3)
    assert metrics["max_abs_epa"] == pytest.approx(4e-3)


def test_force_metrics__norms_and_components():
    metrics = compute_force_metrics(np.array([[0.3, 0.4, 0.0], [0.0, 0.0, -1.0], [np.nan] * 3]))
    assert metrics["rmse_f"] == pytest.approx(np.sqrt((0.25 + 1) / 2))
    assert metrics["mae_f"] == pytest.approx(0.75)
    assert metrics["rmse_f_comp"] == pytest.approx(np.sqrt(1.25 / 6))
    assert metrics["mae_f_comp"] == pytest.approx(1.7 / 6)
    assert metrics["max_abs_f_comp"] == pytest.approx(1.0)


def test_stress_metrics__skip_structures_without_stress():
    metrics = compute_stress_metrics(np.array([[0.1] * 6, [np.nan] * 6]))
    assert list(metrics.values()) == pytest.approx([0.1, 0.1, 0.1])


@pytest.mark.parametrize(
    ("compute", "shape"), [(compute_energy_metrics, (2,)), (compute_force_metrics, (2, 3)), (compute_stress_metrics, (2, 6))]
)
def test_metrics__without_references_are_nan(compute, shape):
    assert all(np.isnan(value) for value in compute(np.full(shape, np.nan)).values())
