"""Units of the parameters."""

import numpy as np
import pytest

from acefit.errors import FitError
from acefit.fit.scaling import parameter_scales
from acefit.potential.parameters import parameter_layout
from models import random_potential


def test_parameter_scales__grow_with_the_order_of_the_function():
    layout = parameter_layout(random_potential(2))
    scales = parameter_scales(layout, order_scale=3.0, radial_scale=0.5)
    assert scales.shape == (layout.n_parameters,)
    assert (scales[: layout.n_radial] == 0.5).all()
    expected = [3.0 ** (function.order - 1) for function in layout.functions() for _ in function.coeffs]
    np.testing.assert_array_equal(scales[layout.n_radial :], expected)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("name", ["order_scale", "radial_scale"])
def test_parameter_scales__must_be_positive(name, scale):
    with pytest.raises(FitError, match=f"fit.options: {name} must be a positive number"):
        parameter_scales(parameter_layout(random_potential(1)), **{name: scale})
