"""The kernels' arrays have the same types for every potential, so that each kernel is compiled once."""

import numba
import numpy as np
import pytest

from acefit.basis.compiled import compile_potential
from acefit.evaluation.predict import predict_compiled
from acefit.fit.loss import LossSettings
from acefit.kernels.energy import evaluate
from acefit.kernels.gradient import loss_and_gradient
from gradients import random_loss
from models import prepared, random_potential, random_structures

VARIANTS = [
    {"n_elements": 1, "mode": "zbl"},
    {"n_elements": 3, "npot": "FinnisSinclair"},
    {"n_elements": 2, "core": False},
    {"n_elements": 1, "orders": ((3,), (0,))},
]


@pytest.mark.parametrize("tables", [False, True])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_shape__has_one_type(variant, tables):
    compiled, reference = compile_potential(random_potential(**variant), tables), compile_potential(random_potential(2))
    assert numba.typeof(compiled.shape) == numba.typeof(reference.shape)
    coefficients = [c.coefficients(c.layout.vector()) for c in (compiled, reference)]
    assert numba.typeof(coefficients[0]) == numba.typeof(coefficients[1])


def test_arrays__are_contiguous():
    compiled = compile_potential(random_potential(2))
    for part in (compiled.shape, compiled.coefficients(compiled.layout.vector())):
        for array in part:
            assert not isinstance(array, np.ndarray) or array.flags.c_contiguous


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_kernels__are_compiled_once():
    for variant in VARIANTS:
        potential = random_potential(**variant)
        for tables in (False, True):
            compiled = compile_potential(potential, tables)
            frames = random_structures(potential.elements)
            predict_compiled(compiled, compiled.layout.vector(), *prepared(frames, potential.cutoff))
        loss = random_loss(potential, LossSettings(kappa=0.3))
        loss(loss.layout.vector())
    assert len(evaluate.signatures) == 1
    assert len(loss_and_gradient.signatures) == 1
