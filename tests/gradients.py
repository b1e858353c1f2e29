"""Gradients of a loss against central differences, parameter kind by parameter kind."""

import numpy as np

from acefit.data.structures import StructureSet
from acefit.data.weights import Weights
from acefit.fit.loss import Loss
from models import prepared, random_structures

STEP = 1e-5


def random_weights(structures: StructureSet, seed=0):
    """Positive weights that differ, zero for some atoms and structures and where there is no reference value."""
    rng = np.random.default_rng(seed)
    energy, force, stress = (
        rng.uniform(0.1, 1.0, n) for n in (structures.n_structures, structures.n_atoms, structures.n_structures)
    )
    energy[1], force[::5] = 0.0, 0.0
    return Weights(energy / energy.sum(), force / force.sum(), np.where(structures.has_stress, stress, 0.0))


def random_loss(potential, settings, seed=0, **options):
    """Loss of a potential for random structures with random reference values and weights."""
    structures, neighbors = prepared(random_structures(potential.elements, seed), potential.cutoff)
    return Loss(potential, structures, neighbors, random_weights(structures), settings, **options)


def parameter_kinds(layout):
    """Mask of each kind of parameter."""
    kinds = np.full(layout.n_parameters, "radial", dtype=object)
    for slot, function in zip(layout.slots, layout.functions(), strict=True):
        kinds[slot.offset : slot.offset + slot.n_coeffs] = "order 1" if function.order == 1 else "order >= 2"
    return {name: kinds == name for name in ("radial", "order 1", "order >= 2")}


def differences(loss, x, step=STEP):
    """Central differences of the loss by every parameter."""
    result = np.zeros_like(x)
    for k in range(len(x)):
        values = []
        for sign in (1, -1):
            moved = x.copy()
            moved[k] += sign * step
            values.append(loss(moved, with_gradient=False).value)
        result[k] = (values[0] - values[1]) / (2 * step)
    return result


def gradient_errors(loss, x, step=STEP):
    """Largest deviation of each kind of parameter, divided by the largest component of that kind."""
    found, expected = loss(x).gradient, differences(loss, x, step)
    errors = {}
    for name, mask in parameter_kinds(loss.layout).items():
        if mask.any():
            scale = np.abs(expected[mask]).max()
            errors[name] = float(np.abs(found - expected)[mask].max() / scale) if scale else float(np.abs(found[mask]).max())
    return errors
