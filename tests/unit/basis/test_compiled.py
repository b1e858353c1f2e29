"""The kernels' form of a potential: base maps, tables and the linear maps between parameters and coefficients."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from acefit.basis.compiled import KINDS, base_map, base_maps, compile_potential, radial_kind
from acefit.errors import PotentialError
from acefit.evaluation.predict import predict_compiled
from acefit.kernels import radial
from acefit.kernels.model import Coefficients
from acefit.potential.model import Bond, pair_key
from models import RADBASES, prepared, random_potential


def make_bond(radbase, k_max=3):
    return Bond(radbase, (2.0,), 5.0, 0.1, np.zeros((1, 1, k_max)))


@pytest.mark.parametrize("radbase", KINDS)
def test_radial_kind__knows_all_names(radbase):
    assert radial_kind(make_bond(radbase)) == KINDS[radbase]
    assert radial_kind(make_bond("TEST_anything")) == radial.NONE


def test_radial_kind__other_names_are_an_error():
    with pytest.raises(PotentialError, match=r"unknown radial basis 'Bessel'; known are ChebExpCos, ChebLinear"):
        radial_kind(make_bond("Bessel"))


@pytest.mark.parametrize("k_max", [0, 1, 2, 6])
@pytest.mark.parametrize("radbase", [*RADBASES, "TEST_nothing"])
def test_base_map__has_a_row_for_every_function(radbase, k_max):
    matrix = base_map(make_bond(radbase, k_max))
    assert matrix.shape[0] == k_max
    assert np.isfinite(matrix).all()


@pytest.mark.parametrize("k_max", [0, 1, 2, 6])
@pytest.mark.parametrize("radbase", [*RADBASES, "TEST_nothing"])
def test_base_maps__are_those_of_the_simple_base_in_chebyshev_polynomials(radbase, k_max):
    """P and Q at some arguments against sums of sines, cosines and polynomials."""
    bond = make_bond(radbase, k_max)
    (value, slope), simple = base_maps(bond), base_map(bond)
    assert value.shape == slope.shape
    assert len(value) == k_max
    x = np.linspace(-0.95, 0.95, 7)
    m = np.arange(simple.shape[1])[:, None]
    if radbase == "SBessel":
        t = np.arccos(x)
        p, q = bond.rcut / (np.pi * (m + 1)) * np.sin((m + 1) * t) / np.sin(t), np.cos((m + 1) * t)
    else:
        p, q = np.cos(m * np.arccos(x)), m * np.sin(m * np.arccos(x)) / np.sqrt(1 - x**2)
    polynomials = np.cos(np.arange(value.shape[1])[:, None] * np.arccos(x))
    np.testing.assert_allclose(value @ polynomials, simple @ p, atol=1e-12)
    np.testing.assert_allclose(slope @ polynomials, simple @ q, atol=1e-11)


def test_compile_potential__mixed_inner_cutoff_types_with_zbl_are_an_error():
    potential = random_potential(2, mode="zbl")
    bonds = dict(potential.bonds)
    bonds["Al", "Cu"] = replace(bonds["Al", "Cu"], inner_cutoff_type="distance")
    with pytest.raises(PotentialError, match="all bonds must have the same inner_cutoff_type, found distance, zbl"):
        compile_potential(replace(potential, bonds=bonds))


@pytest.mark.parametrize("tables", [False, True])
@pytest.mark.parametrize("n_elements", [1, 2, 3])
def test_parameter_gradient__is_the_adjoint_of_coefficients(n_elements, tables):
    """<d, C x> = <C^T d, x> up to rounding: both maps are linear and belong together."""
    compiled, rng = compile_potential(random_potential(n_elements), tables), np.random.default_rng(0)
    x = rng.normal(size=compiled.layout.n_parameters)
    coefficients = compiled.coefficients(x)
    slopes = Coefficients(*(rng.normal(size=array.shape) for array in coefficients))
    expected = sum((s * c).sum() for s, c in zip(slopes, coefficients, strict=True))
    np.testing.assert_allclose(
        compiled.parameter_gradient(Coefficients(*(part[None] for part in slopes))) @ x, expected, rtol=1e-12
    )


def test_coefficients__are_linear():
    compiled, rng = compile_potential(random_potential(2)), np.random.default_rng(0)
    x, y = rng.normal(size=(2, compiled.layout.n_parameters))
    for c_x, c_y, c_sum in zip(*(compiled.coefficients(v) for v in (x, y, 2 * x - y)), strict=True):
        np.testing.assert_allclose(c_sum, 2 * c_x - c_y, rtol=0, atol=1e-12 * (1 + np.abs(c_sum).max()))


def test_compile_potential__pairs_without_a_bond_do_not_interact():
    potential = random_potential(2, core=False)
    without = replace(
        potential,
        bonds={pair: bond for pair, bond in potential.bonds.items() if pair != ("Al", "Cu")},
        blocks=tuple(block for block in potential.blocks if block.arity == 1),
    )
    assert without.bond("Al", "Cu") is None
    compiled = compile_potential(without)
    structures, neighbors = prepared(Atoms("Al2Cu", [[0, 0, 0], [0, 0, 2.6], [2.2, 0, 1.3]]), potential.cutoff)
    found = predict_compiled(compiled, compiled.layout.vector(), structures, neighbors)
    alone = predict_compiled(compiled, compiled.layout.vector(), *prepared(Atoms("Al2", [[0, 0, 0], [0, 0, 2.6]]), 5.0))
    np.testing.assert_array_equal(found.forces[:2], alone.forces)
    assert not found.forces[2].any()


def energies_of_dimers(compiled, distances):
    frames = [Atoms("Al2", [[0, 0, 0], [0, 0, d]]) for d in distances]
    return predict_compiled(compiled, compiled.layout.vector(), *prepared(frames, compiled.potential.cutoff)).energies


def test_compile_potential__nodes_of_tables_are_those_of_the_truncated_quotient():
    """5.1/0.1 is 50.99999999999999 in floating point, so the table has 50 bins of 0.102 Angstrom."""
    potential = replace(random_potential(1, ("SBessel",), rcut=5.1), delta_spline_bins=0.1)
    analytic, tables = compile_potential(potential), compile_potential(potential, tables=True)
    for shift, low, high in ((0.0, 0.0, 1e-12), (0.5, 1e-8, 1e-2)):
        distances = (np.arange(26, 49) + shift) * 5.1 / 50
        deviation = np.abs(energies_of_dimers(tables, distances) - energies_of_dimers(analytic, distances)).max()
        assert low <= deviation < high


def test_compile_potential__tables_converge_with_the_fourth_power_of_the_bin():
    distances = np.linspace(2.5, 4.5, 37)
    deviations = []
    for width in (0.1, 0.05):
        potential = replace(random_potential(1, ("SBessel",)), delta_spline_bins=width)
        pair = (compile_potential(potential), compile_potential(potential, tables=True))
        deviations.append(np.abs(np.subtract(*(energies_of_dimers(c, distances) for c in pair))).max())
    assert 8 < deviations[0] / deviations[1] < 32


def test_compile_potential__channels_are_only_those_that_functions_use():
    compiled = compile_potential(random_potential(2))
    for graph, element in zip(compiled.graphs, compiled.potential.elements, strict=True):
        for other, n, l in graph.channels:
            crad = compiled.potential.bonds[pair_key(element, other)].crad
            assert n <= crad.shape[0]
            assert l < crad.shape[1]
