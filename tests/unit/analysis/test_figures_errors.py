import numpy as np
import pandas as pd
import pytest

from acefit.analysis import figures_errors
from acefit.analysis.canvas import write_figure


@pytest.fixture
def sizes(tmp_path):
    """Write a figure and give its number of bytes."""

    def measure(figure):
        write_figure(figure, tmp_path / "figure.png")
        return (tmp_path / "figure.png").stat().st_size

    return measure


RNG = np.random.default_rng(3)
REFERENCE = RNG.normal(size=400)
PREDICTED = REFERENCE + RNG.normal(0, 0.01, 400)
EMPTY = np.empty(0)


def test_binned_rmse__matches_a_loop_over_bins():
    errors = PREDICTED - REFERENCE
    edges, values = figures_errors.binned_rmse(REFERENCE, errors)
    assert np.allclose(edges, np.linspace(REFERENCE.min(), REFERENCE.max(), 101), atol=1e-12)
    n_empty = 0
    for k in range(100):
        inside = (edges[k] <= REFERENCE) & ((edges[k + 1] > REFERENCE) | (k == 99))
        if inside.any():
            assert values[k] == pytest.approx(np.sqrt(np.mean(errors[inside] ** 2)), abs=1e-12)
        else:
            assert np.isnan(values[k])
            n_empty += 1
    assert 0 < n_empty < 100


def test_binned_rmse__of_one_value_is_its_error():
    values = figures_errors.binned_rmse(np.array([2.0]), np.array([-3.0]))[1]
    assert np.allclose(values[~np.isnan(values)], [3.0])


@pytest.mark.parametrize(("n_points", "bins"), [(0, 10), (100, 25), (400, 100), (9999, 100)])
def test_n_bins__few_points_get_fewer_bins(n_points, bins):
    assert figures_errors.n_bins(n_points) == bins


def test_ef_pairs__have_equal_aspect_and_state_errors(sizes):
    figure = figures_errors.draw_ef_pairs((REFERENCE, PREDICTED), (REFERENCE, PREDICTED), "train")
    left, right = figure.axes[:2]
    assert left.get_aspect() == right.get_aspect() == 1.0
    rmse = 1000 * np.sqrt(np.mean((PREDICTED - REFERENCE) ** 2))
    assert f"RMSE {rmse:.4g} meV/atom" in left.texts[0].get_text()
    assert sizes(figure) > 10000


def test_ef_pairs__without_references_say_so(sizes):
    figure = figures_errors.draw_ef_pairs((EMPTY, EMPTY), (EMPTY, EMPTY), "test")
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["no reference energies", "no reference forces"]
    assert sizes(figure) > 1000


@pytest.mark.parametrize("what", [figures_errors.ENERGY_AXES, figures_errors.COMPONENT_AXES, figures_errors.NORM_AXES])
@pytest.mark.parametrize("n", [1, 400])
def test_error_distribution__is_drawn_for_few_and_many(what, n, sizes):
    errors = np.abs(PREDICTED - REFERENCE)[:n] * 1000
    assert sizes(figures_errors.draw_error_distribution(REFERENCE[:n], errors, what, "train")) > 10000


def test_error_distribution__of_a_perfect_fit_is_drawn(sizes):
    assert sizes(figures_errors.draw_error_distribution(REFERENCE, np.zeros(400), figures_errors.ENERGY_AXES, "train")) > 10000


def test_error_distribution__counts_errors_beyond_the_axis():
    errors = RNG.normal(size=3000)
    errors[:2] = 500.0, -700.0
    figure = figures_errors.draw_error_distribution(RNG.normal(size=3000), errors, figures_errors.ENERGY_AXES, "train")
    text = "".join(t.get_text() for axes in figure.axes for t in axes.texts)
    assert "2 of 3000 are beyond" in text
    assert "700" in text


def test_nearest__has_two_panels_over_the_same_distances(sizes):
    figure = figures_errors.draw_nearest(np.abs(REFERENCE) + 2, REFERENCE, 1000 * (PREDICTED - REFERENCE), "test")
    top, bottom = figure.axes
    assert top.get_xlim() == bottom.get_xlim()
    assert sizes(figure) > 10000


def test_group_errors__at_most_forty_groups_are_shown():
    rows = [
        {"group": f"g{k:02d}", "subset": s, "n_structures": 2, "rmse_epa": k + 1.0, "rmse_f_comp": 0.1}
        for k in range(50)
        for s in ("train", "test")
    ]
    figure = figures_errors.draw_group_errors(pd.DataFrame(rows))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == 40
    assert labels[0] == "g10 (4)"


def test_weights__are_drawn(sizes):
    structures = pd.DataFrame({"energy_per_atom": [-5.0, -4.0, np.nan], "w_energy": [0.7, 0.3, 0.0]})
    atoms = pd.DataFrame({"force_norm": [0.1, 1.0], "w_force": [0.6, 0.4]})
    assert sizes(figures_errors.draw_weights(structures, atoms)) > 5000


def test_weights__all_zero_are_named():
    structures = pd.DataFrame({"energy_per_atom": [-5.0], "w_energy": [0.0]})
    figure = figures_errors.draw_weights(structures, pd.DataFrame({"force_norm": [1.0], "w_force": [0.0]}))
    assert figure.axes[0].texts[0].get_text() == "no energy weights"


def test_stress_pairs_and_distributions__are_drawn(sizes):
    stress = RNG.normal(size=(20, 6))
    assert sizes(figures_errors.draw_stress_pairs(stress, stress + 0.1, "train")) > 10000
    assert sizes(figures_errors.draw_ef_distributions(REFERENCE, EMPTY, "train")) > 5000
