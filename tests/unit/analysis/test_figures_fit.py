import numpy as np
import pandas as pd
import pytest

from acefit.analysis import figures_fit
from acefit.analysis.canvas import write_figure


def make_metrics(n_steps=2, n_cycles=2, subsets=("train", "test"), n_iterations=5):
    rows = [
        {
            "ladder_step": step, "cycle_step": cycle, "iter_num": k, "subset": subset, "loss": 1.0 / (k + 1 + step),
            "e_loss_contrib": 0.4 / (k + 1), "f_loss_contrib": 0.6 / (k + 1), "l1_reg_contrib": 0.0,
            "rmse_epa": 0.01, "rmse_f_comp": 0.1,
        }
        for step in range(n_steps) for cycle in range(n_cycles) for k in range(n_iterations) for subset in subsets
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("draw", "metrics"),
    [
        (figures_fit.draw_convergence_loss, make_metrics()),
        (figures_fit.draw_convergence_loss, make_metrics(1, 1, ("train",), n_iterations=1)),
        (figures_fit.draw_convergence_loss, make_metrics(13, 1, n_iterations=2)),
        (figures_fit.draw_convergence_errors, make_metrics()),
        (figures_fit.draw_convergence_errors, make_metrics(1, 9, n_iterations=2)),
    ],
)
def test_convergence__is_drawn_for_all_shapes_of_a_fit(draw, metrics, tmp_path):
    write_figure(draw(metrics), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10000


def test_step_offsets__steps_follow_each_other_after_the_longest_cycle():
    metrics = make_metrics(3, 2)
    metrics = metrics[~((metrics["cycle_step"] == 0) & (metrics["iter_num"] > 2))]
    assert figures_fit.step_offsets(metrics) == {0: 0, 1: 4, 2: 8}


def test_convergence_loss__parts_that_are_zero_are_not_shown():
    figure = figures_fit.draw_convergence_loss(make_metrics())
    shown = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert shown == ["energies", "forces"]


def test_ladder_and_timing__are_drawn(tmp_path):
    cycles = pd.DataFrame(
        {
            "ladder_step": [0, 0, 1, 1], "cycle_step": 0, "subset": ["train", "test"] * 2,
            "n_functions": [10, 10, 20, 20], "rmse_epa": [0.02, 0.03, 0.01, 0.02], "rmse_f_comp": [0.2, 0.3, 0.1, 0.2],
            "is_selected": True,
            "microseconds_per_atom": [50.0, np.nan, 80.0, np.nan], "n_evaluations": 30,
        }
    )  # fmt: skip
    timing = pd.DataFrame(
        {"stage": ["fit", "fit", "split"], "job": list("abc"), "seconds": [9.0, 70.0, 0.1], "memory_mb": np.nan}
    )
    figures = (
        figures_fit.draw_ladder(cycles),
        figures_fit.draw_timing_evaluations(cycles[cycles["subset"] == "train"]),
        figures_fit.draw_timing_stages(timing),
    )
    for figure in figures:
        write_figure(figure, tmp_path / "figure.png")
        assert (tmp_path / "figure.png").stat().st_size > 5000
    assert "1 min 19 s in 2 jobs" in figures[2].axes[0].texts[0].get_text()


@pytest.mark.parametrize(("seconds", "text"), [(3.21, "3.2 s"), (75, "1 min 15 s"), (7260, "2 h 1 min")])
def test_duration__is_readable(seconds, text):
    assert figures_fit.duration(seconds) == text
