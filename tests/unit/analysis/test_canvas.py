import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from acefit.analysis.canvas import draw_note, draw_points, new_figure, outlier_limit, padded_limits, plain_log_ticks, write_figure


def test_write_figure__same_figure_gives_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        write_figure(draw_note("nothing to show"), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_write_figure__resolution_is_150_dpi_and_no_program_is_named(tmp_path):
    write_figure(draw_note("x"), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (750, 135)
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert set(image.info) == {"dpi"}


def test_drawing__leaves_global_settings_alone():
    before = dict(mpl.rcParams)
    figure = new_figure()
    figure.subplots().plot([0, 1])
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("n", [10, 5000])
def test_draw_points__few_are_scattered_many_are_counted(n):
    axes = new_figure().subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    x = np.random.default_rng(0).uniform(size=n)
    draw_points(axes, x, x, "#0072B2", has_bar=False)
    assert type(axes.collections[0]).__name__ == ("PathCollection" if n < 100 else "PolyCollection")


def test_padded_limits__of_nothing_and_of_one_value():
    assert padded_limits(np.array([np.nan])) == (-1.0, 1.0)
    low, high = padded_limits(np.array([3.0]))
    assert low < 3.0 < high


def test_outlier_limit__a_few_huge_errors_do_not_set_the_axis():
    errors = np.random.default_rng(0).normal(size=10000)
    assert outlier_limit(errors) == pytest.approx(1.05 * np.abs(errors).max())
    errors[0] = 1000.0
    assert outlier_limit(errors) < 10.0


@pytest.mark.parametrize(("limits", "shown"), [((2.0, 5.0), {"2", "3", "5"}), ((3.0, 200.0), {"5", "10", "20", "100"})])
def test_plain_log_ticks__writes_plain_numbers(limits, shown):
    axes = new_figure().subplots()
    axes.set(xscale="log", xlim=limits)
    plain_log_ticks(axes.xaxis)
    axes.figure.canvas.draw()
    texts = {label.get_text() for label in (*axes.get_xticklabels(), *axes.get_xticklabels(minor=True))}
    assert shown <= texts
    assert not any("10^" in text for text in texts)
