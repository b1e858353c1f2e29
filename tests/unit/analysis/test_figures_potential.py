import numpy as np
import pytest

from acefit.analysis import figures_potential
from acefit.analysis.canvas import write_figure
from acefit.analysis.radial_curves import RadialCurves
from acefit.potential.model import Block, Function, Potential


def make_curves(n_bonds):
    r = np.linspace(0.1, 5.0, 30)
    base = np.cos(np.outer(r, np.arange(1, 4)))
    radial = np.einsum("gk,nlk->gnl", base, np.ones((2, 3, 3)))
    radial[0] = 1e6
    return [RadialCurves(f"A{k}-B", r, base, radial) for k in range(n_bonds)]


@pytest.mark.parametrize(
    ("draw", "n_bonds"), [(figures_potential.draw_radial_functions, 4), (figures_potential.draw_radial_basis, 1)]
)
def test_radial_figures__have_one_panel_per_bond(draw, n_bonds, tmp_path):
    figure = draw(make_curves(n_bonds))
    assert sum(axes.axison for axes in figure.axes) == n_bonds
    write_figure(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10000


def test_radial_functions__limits_ignore_huge_values_at_short_distances():
    figure = figures_potential.draw_radial_functions(make_curves(1))
    assert figure.axes[0].get_ylim()[1] < 10


def test_coefficients__zeros_are_counted_not_drawn(tmp_path):
    functions = tuple(Function(("Si",) * 3, (1, 1), (l, l), (), (value, 0.0)) for l, value in enumerate((1.0, 0.1, 1e-32)))
    figure = figures_potential.draw_coefficients(Potential(("Si",), {}, {}, (Block(("Si",), functions),)))
    assert "4 zeros not shown" in figure.legends[0].get_title().get_text()
    write_figure(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000
