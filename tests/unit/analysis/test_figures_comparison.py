import numpy as np
import pytest

from acefit.analysis.canvas import write_figure
from acefit.analysis.comparison import tabulate_runs
from acefit.analysis.figures_comparison import MAX_LABELS, draw_comparison


def make_table(n, with_test=True):
    rng = np.random.default_rng(0)
    rows = []
    for k in range(n):
        errors = {
            f"{name}_{subset}": float(rng.uniform(1, 9)) for name in ("rmse_epa", "rmse_f_comp") for subset in ("train", "test")
        }
        if not with_test:
            errors |= {"rmse_epa_test": np.nan, "rmse_f_comp_test": np.nan}
        rows.append({"run": f"run-{k}", "n_functions": 10 * (k + 1), "microseconds_per_atom": 5.0 * (k + 1), **errors})
    return tabulate_runs(rows)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_draw_comparison__marks_the_runs_that_are_optimal(tmp_path):
    table = make_table(6)
    figure = draw_comparison(table, {run: run.upper() for run in table["run"]}, heading="what the labels are")
    assert len(figure.axes) == 4
    fronts = [len(axes.lines[0].get_xdata()) for axes in figure.axes]
    columns = [f"optimal_{error}_{cost}" for error in ("energy", "force") for cost in ("time", "functions")]
    assert fronts == [int(table[column].sum()) for column in columns]
    assert texts(figure) == [f"RUN-{k}" for k in range(6)] * 4
    write_figure(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_draw_comparison__labels_only_the_front_where_runs_are_many():
    table = make_table(MAX_LABELS + 8)
    shown = texts(draw_comparison(table, {run: run for run in table["run"]}))
    assert 0 < len(shown) < 4 * MAX_LABELS
    assert set(shown) < set(table["run"])


@pytest.mark.parametrize(("with_test", "word"), [(True, "test"), (False, "training")])
def test_draw_comparison__says_which_errors_are_shown(with_test, word):
    figure = draw_comparison(make_table(1, with_test), {"run-0": "run-0"})
    assert figure.axes[0].get_ylabel() == f"energy RMSE, {word} (meV/atom)"
