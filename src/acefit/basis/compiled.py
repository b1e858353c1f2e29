"""The form of a potential that the kernels read, and the linear maps between it and the parameter vector.

The parameter vector x is that of `acefit.potential.parameters`. Contraction matrices and term coefficients are linear in it:
each row of a bond is a radial function (coefficients c_nlk) or, per density, all order-1 functions together; the fixed maps from
the Chebyshev polynomials of the kernels to the g_k of the potential are folded in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi, sqrt

import numpy as np
from ase.data import atomic_numbers
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from acefit.basis.graph import ProductGraph, build_graph
from acefit.errors import PotentialError
from acefit.kernels import contraction, radial
from acefit.kernels._jit import LANES
from acefit.kernels.core import pair_core, zbl_screened
from acefit.kernels.embedding import FINNIS_SINCLAIR, SHIFTED_SCALED
from acefit.kernels.expansion import Expansion, expand_into, gather_shares_into
from acefit.kernels.harmonics import harmonics_tables
from acefit.kernels.model import Coefficients, Shape
from acefit.kernels.projections import Couplings
from acefit.potential.model import Bond, Embedding, Function, Potential
from acefit.potential.parameters import ParameterLayout, parameter_layout

KINDS = {
    "ChebExpCos": radial.CHEB_EXP_COS,
    "ChebPow": radial.CHEB_POW,
    "ChebLinear": radial.CHEB_LINEAR,
    "SBessel": radial.SINE,
    "TEST_SBessel": radial.SINE,
}
EMBEDDINGS = {"FinnisSinclair": FINNIS_SINCLAIR, "FinnisSinclairShiftedScaled": SHIFTED_SCALED}

BaseMaps = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Maps (k_max, k_rows) from the polynomials P and Q of `acefit.kernels.radial` to the g_k of a bond."""

__all__ = ["Compiled", "base_map", "base_maps", "bond_parameters", "compile_potential", "radial_kind"]


def radial_kind(bond: Bond) -> int:
    """Radial family of a bond; names beginning with TEST_ are placeholders that are zero everywhere."""
    if bond.radbase in KINDS:
        return KINDS[bond.radbase]
    if bond.radbase.startswith("TEST_"):
        return radial.NONE
    raise PotentialError(f"unknown radial basis {bond.radbase!r}; known are {', '.join(sorted(KINDS))}")


def base_map(bond: Bond) -> NDArray[np.float64]:
    """Matrix (k_max, n) from T_m times a window, or for spherical Bessel functions sin(m t)/(m t), to the g_k of the bond."""
    kind, k_max = radial_kind(bond), bond.k_max
    if kind == radial.NONE or k_max == 0:
        return np.zeros((k_max, 0))
    if kind == radial.SINE:
        return _bessel_map(k_max, bond.rcut)
    shift = 0 if kind == radial.CHEB_EXP_COS else 1
    result = np.zeros((k_max, max(k_max + shift, 2)))
    for k in range(k_max):
        if kind == radial.CHEB_EXP_COS and k == 0:
            result[0, 0] = 1.0
        else:
            result[k, 0], result[k, k + shift] = 0.5, -0.5
    return result


def _bessel_map(k_max: int, rcut: float) -> NDArray[np.float64]:
    """Orthonormalised spherical Bessel functions in terms of sin(m t)/(m t), m = 1..k_max + 1.

    References
    ----------
    Kocer, Mason, Erturk, AIP Advances 10, 015021 (2020), Eqs. (7)-(12).
    """
    result = np.zeros((k_max, k_max + 1))
    d_previous = 1.0
    for n in range(k_max):
        a, b = n + 1, n + 2
        f = np.zeros(k_max + 1)
        f[n] = f[n + 1] = (-1) ** n * sqrt(2.0) * pi * rcut**-1.5 * a * b / sqrt(a * a + b * b)
        if n == 0:
            result[0] = f
            continue
        e = n**2 * (n + 2) ** 2 / (4.0 * (n + 1) ** 4 + 1.0)
        d = 1.0 - e / d_previous
        result[n] = (f + sqrt(e / d_previous) * result[n - 1]) / sqrt(d)
        d_previous = d
    return result


def base_maps(bond: Bond) -> BaseMaps:
    """Polynomials P and Q of every g_k of the bond in Chebyshev polynomials T_0, T_1, ..."""
    kind, simple = radial_kind(bond), base_map(bond)
    n = simple.shape[1]
    if kind == radial.SINE:
        # sin(m t)/(m t) = rc/(pi m) sin t/r U_m-1(cos t), where U_m-1 = 2 (T_m-1 + T_m-3 + ...), with T_0 counted once
        value = np.zeros((n, n + 1))
        for m in range(1, n + 1):
            value[m - 1, np.arange(m - 1, -1, -2)] = 2.0
            value[m - 1, 0] = min(value[m - 1, 0], 1.0)
            value[m - 1] *= bond.rcut / (pi * m)
        return simple @ value, simple @ np.eye(n, n + 1, 1)
    slope = np.zeros((n, n))
    for m in range(1, n):
        derivative = chebyshev.chebder(np.eye(n)[m])
        slope[m, : len(derivative)] = derivative
    return simple, simple @ slope


def bond_parameters(bond: Bond, pair: tuple[str, str]) -> NDArray[np.float64]:
    """Numbers of one bond in the order of `acefit.kernels.radial`."""
    out = np.zeros(radial.N_BOND_PARAMETERS)
    out[radial.RC], out[radial.DCUT] = bond.rcut, bond.dcut
    out[radial.LAMBDA] = bond.radparameters[0] if bond.radparameters else 0.0
    inner = bond.rcut_in - bond.dcut_in
    if bond.inner_cutoff_type == "distance":
        out[radial.WINDOW_IN], out[radial.WINDOW_WIDTH] = bond.rcut_in, bond.dcut_in
    # zbl switches the whole energy by the nearest distance, its radial functions have no inner window
    out[radial.ZERO_BELOW] = 0.0 if bond.inner_cutoff_type == "zbl" else inner
    out[radial.CORE_IN], out[radial.CORE_WIDTH] = bond.rcut_in, bond.dcut_in
    pre, lam = bond.core_repulsion
    out[radial.CORE_PRE], out[radial.CORE_LAMBDA] = pre, lam
    if pre != 0.0:
        modes = {"density": radial.CORE_EXPONENTIAL, "distance": radial.CORE_EXPONENTIAL_WINDOW, "zbl": radial.CORE_ZBL}
        out[radial.CORE_MODE] = modes[bond.inner_cutoff_type]
    if bond.inner_cutoff_type == "zbl":
        _zbl_parameters(bond, pair, out)
    return out


def _zbl_parameters(bond: Bond, pair: tuple[str, str], out: NDArray[np.float64]) -> None:
    """Screening length and outer switch of the ZBL core."""
    zi, zj = (atomic_numbers[symbol] for symbol in pair)
    a = 0.46850 / (zi**0.23 + zj**0.23)
    out[radial.ZBL_ZZ], out[radial.ZBL_A] = zi * zj, a
    s, w = bond.rcut - bond.dcut, bond.dcut
    out[radial.ZBL_S] = s
    e, de = zbl_screened(bond.rcut, a)
    dde = _zbl_second_derivative(bond.rcut, a)
    if w > 0.0:
        out[radial.ZBL_A3] = (-3.0 * de + w * dde) / w**2
        out[radial.ZBL_A4] = (2.0 * de - w * dde) / w**3
    out[radial.ZBL_C] = -e + w * de / 2.0 - w**2 * dde / 12.0


def _zbl_second_derivative(r: float, a: float) -> float:
    """Second derivative of Phi(r/a)/r."""
    c = np.array([0.18175, 0.50986, 0.28022, 0.02817])
    d = np.array([3.19980, 0.94229, 0.40290, 0.20162]) / a
    terms = c * np.exp(-d * r)
    return float(np.sum(terms * (d**2 / r + 2.0 * d / r**2 + 2.0 / r**3)))


def radial_base(
    kind: int, parameters: NDArray[np.float64], maps: BaseMaps, r: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """g_k and dg_k/dr of a bond at distances r, (k_max, n) each.

    Parameters
    ----------
    kind : radial family; parameters : from `bond_parameters`; maps : from `base_maps`
    r : (n,) Angstrom
    """
    k_rows, n_slots = maps[0].shape[1], -(-len(r) // LANES)
    pairs = np.ones((n_slots, radial.N_PAIR, LANES))
    distances = np.full(n_slots * LANES, 1.0)
    distances[: len(r)] = r
    pairs[:, radial.R] = distances.reshape(-1, LANES)
    pairs[:, radial.INVERSE] = 1.0 / pairs[:, radial.R]
    base = np.zeros((n_slots, max(k_rows, 1), LANES))
    radial.arguments_into(kind, parameters, pairs, 0, n_slots)
    radial.base_into(kind, parameters, np.zeros((0, 0)), 0, k_rows, pairs, 0, n_slots, base.shape[1], base, base)
    polynomials = base.transpose(1, 0, 2).reshape(base.shape[1], -1)[:k_rows]
    p, q = maps[0] @ polynomials, maps[1] @ polynomials
    f0, f1, f2 = (pairs[:, row].ravel() for row in (radial.F0, radial.F1, radial.F2))
    return (f0 * p)[:, : len(r)], (f1 * q + f2 * p)[:, : len(r)]


@dataclass(frozen=True, eq=False)
class Compiled:
    """Shape arrays, and the maps between x and the kernels' coefficients.

    Attributes
    ----------
    shape : what the kernels read
    layout : of the parameter vector
    graphs : product graph of each element
    entries : (2, n) places of coefficients of the g_k in the rows of the contraction matrices, (n_matrix_rows * k_max), and in x
    maps : base maps of each ordered bond
    row_ranges : rows of each ordered bond in the contraction matrices
    term_blocks : per element: its first term, place in x of its functions of order >= 2, and number of densities
    """

    potential: Potential
    shape: Shape
    layout: ParameterLayout
    graphs: tuple[ProductGraph, ...]
    entries: NDArray[np.int64]
    maps: tuple[BaseMaps, ...]
    row_ranges: tuple[tuple[int, int], ...]
    term_blocks: tuple[tuple[int, int, int], ...]

    @property
    def n_rows(self) -> int:
        """Rows of the contraction matrices, with rows to spare for the last block."""
        return max((stop for _, stop in self.row_ranges), default=0) + contraction.ROW_BLOCK

    @cached_property
    def _expansion(self) -> Expansion:
        """The linear map in the form of the kernels."""
        k_max = max((bond.k_max for bond in self.potential.bonds.values()), default=1)
        source = np.full((self.n_rows, k_max), -1, dtype=np.int64)
        source.flat[self.entries[0]] = self.entries[1]
        maps = np.zeros((2, len(self.maps), k_max, self.k_width))
        for b, pair in enumerate(self.maps):
            for own, base in zip(maps[:, b], pair, strict=True):
                own[: base.shape[0], : base.shape[1]] = base
        places = np.array(self.term_blocks, dtype=np.int64)
        return Expansion(source, np.array(self.row_ranges, dtype=np.int64), maps[0], maps[1], self.couplings, places)

    @cached_property
    def couplings(self) -> Couplings:
        """Couplings of all elements in the form of the kernels."""
        sparse = [graph.couplings for graph in self.graphs]
        entries = _starts([matrix.nnz for matrix in sparse])
        return Couplings(
            function_start=_starts([matrix.shape[0] for matrix in sparse]),
            start=np.concatenate(
                [matrix.indptr[:-1] + first for matrix, first in zip(sparse, entries, strict=False)] + [entries[-1:]]
            ),
            term=np.concatenate([matrix.indices for matrix in sparse]).astype(np.int32),
            weight=np.concatenate([matrix.data for matrix in sparse]),
            order_one=np.array([matrix.shape[1] for matrix in self.order_one]),
        )

    @cached_property
    def order_one(self) -> tuple[NDArray[np.float64], ...]:
        """Of each element: its order-1 functions, columns, in the sums (n_elements * k_width) of `acefit.kernels.projections`."""
        elements, functions = self.potential.elements, self.layout.functions()
        result = []
        for mu, symbol in enumerate(elements):
            alike = [f for f in functions if f.elements[0] == symbol and f.order == 1]
            matrix = np.zeros((len(elements), self.k_width, len(alike)))
            for column, function in enumerate(alike):
                other = elements.index(function.elements[1])
                value = self.maps[mu * len(elements) + other][0]
                if len(value):
                    matrix[other, : value.shape[1], column] = value[function.ns[0] - 1]
            result.append(matrix.reshape(len(elements) * self.k_width, len(alike)))
        return tuple(result)

    @property
    def n_functions(self) -> NDArray[np.int64]:
        """Number of functions of each element, shape (n_elements,)."""
        return self.couplings.order_one + np.diff(self.couplings.function_start)

    @property
    def k_width(self) -> int:
        """Columns of the contraction matrices: even, because the kernels take them two at a time."""
        return 2 * int(max((self.shape.k_rows.max() + 1) // 2, 1))

    def coefficients(self, x: NDArray[np.float64]) -> Coefficients:
        """Kernel coefficients of a parameter vector."""
        matrices = np.zeros((2, self.n_rows, self.k_width))
        ct = np.zeros((int(self.shape.n_density.max()), len(self.shape.inner)))
        result = Coefficients(matrices[0], matrices[1], ct)
        # a copy, because a read-only view would compile a second kernel
        expand_into(np.array(x, dtype=np.float64), self._expansion, result)
        return result

    def parameter_gradient(self, shares: Coefficients) -> NDArray[np.float64]:
        """Gradient with respect to x from shares of that with respect to the kernels' coefficients, (n_shares, ...)."""
        gradient = np.zeros(self.layout.n_parameters)
        gather_shares_into(shares, self._expansion, gradient)
        return gradient


def _row_map(
    potential: Potential,
    layout: ParameterLayout,
    graphs: list[ProductGraph],
    order_one: list[list[tuple[Function, int]]],
    bonds: list[tuple[str, str]],
) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """Entries of x in the rows of all bonds, and the range of rows of each bond; bonds begin at whole blocks of rows."""
    k_max = max((bond.k_max for bond in potential.bonds.values()), default=1)
    entries: list[tuple[int, int]] = []
    ranges, row = [], 0
    for mu_i, mu_j in bonds:
        element = potential.elements.index(mu_i)
        row = -(-row // contraction.ROW_BLOCK) * contraction.ROW_BLOCK
        start, bond = row, potential.bond(mu_i, mu_j)
        if bond is None:
            ranges.append((start, start))
            continue
        offset = layout.bond_slices[(min(mu_i, mu_j), max(mu_i, mu_j))].start
        for channel_element, n, l in graphs[element].channels:
            if channel_element == mu_j:
                first = offset + ((n - 1) * (bond.l_max + 1) + l) * bond.k_max
                entries += [(row * k_max + k, first + k) for k in range(bond.k_max)]
                row += 1
        p = potential.embeddings[mu_i].ndensity
        for function, position in order_one[element]:
            if function.elements[1] == mu_j:
                entries += [((row + q) * k_max + function.ns[0] - 1, position + q) for q in range(p)]
        row += p
        ranges.append((start, row))
    return np.ascontiguousarray(np.array(entries, dtype=np.int64).reshape(-1, 2).T), ranges


def compile_potential(potential: Potential, tables: bool = False) -> Compiled:
    """Build the kernels' form of a potential.

    Parameters
    ----------
    potential : Potential
    tables : bool
        Interpolate radial functions in tables with bins of `delta_spline_bins` as the reference evaluator does, instead of
        evaluating them analytically.
    """
    layout = parameter_layout(potential)
    elements = potential.elements
    bonds = [(a, b) for a in elements for b in elements]
    by_element: list[list[tuple[Function, int]]] = [[] for _ in elements]
    for function, slot in zip(layout.functions(), layout.slots, strict=True):
        by_element[elements.index(slot.element)].append((function, slot.offset))
    order_one = [[item for item in items if item[0].order == 1] for items in by_element]
    higher = [[item for item in items if item[0].order > 1] for items in by_element]
    graphs = [build_graph([function for function, _ in items]) for items in higher]
    entries, ranges = _row_map(potential, layout, graphs, order_one, bonds)
    maps = []
    for (mu_i, mu_j), (start, stop) in zip(bonds, ranges, strict=True):
        bond = potential.bond(mu_i, mu_j)
        maps.append((np.zeros((0, 0)), np.zeros((0, 0))) if bond is None or start == stop else base_maps(bond))
    term_starts = _starts([g.n_terms for g in graphs])
    blocks = []
    for element, items, first in zip(elements, higher, term_starts[:-1], strict=True):
        p = potential.embeddings[element].ndensity
        blocks.append((int(first), items[0][1] if items else 0, p))
    shape = _build_shape(potential, graphs, bonds, ranges, maps)
    if tables:
        shape, maps = _tabulate(potential, shape, bonds, ranges, maps)
    return Compiled(potential, shape, layout, tuple(graphs), entries, tuple(maps), tuple(ranges), tuple(blocks))


def _starts(sizes: list[int]) -> NDArray[np.int64]:
    """Ranges of consecutive parts, one more than there are parts."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _term_starts(graphs: list[ProductGraph]) -> NDArray[np.int64]:
    """Ranges of the terms of all outer factors, element after element."""
    starts = _starts([g.n_terms for g in graphs])
    # each element's ranges without their end, which is the next one's beginning
    return np.append(np.concatenate([start + g.term_start[:-1] for start, g in zip(starts, graphs, strict=False)]), starts[-1])


def _embedding_parameters(embeddings: list[Embedding]) -> NDArray[np.float64]:
    """Prefactor and exponent of each density, shape (n_elements, p_max, 2); zero where an element has fewer densities."""
    result = np.zeros((len(embeddings), max(e.ndensity for e in embeddings), 2))
    for i, embedding in enumerate(embeddings):
        result[i, : embedding.ndensity] = np.reshape(embedding.parameters, (-1, 2))
    return result


def _build_shape(
    potential: Potential,
    graphs: list[ProductGraph],
    bonds: list[tuple[str, str]],
    ranges: list[tuple[int, int]],
    maps: list[BaseMaps],
) -> Shape:
    """Arrays of the analytic form."""
    elements, n = potential.elements, len(potential.elements)
    embeddings = [potential.embeddings[e] for e in elements]
    kind, parameters = np.zeros(n * n, dtype=np.int64), np.zeros((n * n, radial.N_BOND_PARAMETERS))
    n_rows, row_start = np.zeros(n * n, dtype=np.int64), np.zeros(n * n, dtype=np.int64)
    rows: list[tuple[int, int]] = []
    for b, (mu_i, mu_j) in enumerate(bonds):
        row_start[b] = len(rows)
        bond = potential.bond(mu_i, mu_j)
        if bond is None:
            continue
        graph = graphs[elements.index(mu_i)]
        kind[b], parameters[b] = radial_kind(bond), bond_parameters(bond, (mu_i, mu_j))
        for (element, _, l), first in zip(graph.channels, graph.starts, strict=True):
            if element == mu_j:
                rows.append((l, int(first)))
        n_rows[b] = len(rows) - row_start[b]
    l_max = np.array([max((l for _, _, l in g.channels), default=0) for g in graphs], dtype=np.int64)
    modes = {bond.inner_cutoff_type for bond in potential.bonds.values()}
    if "zbl" in modes and len(modes) > 1:
        raise PotentialError(f"all bonds must have the same inner_cutoff_type, found {', '.join(sorted(modes))}")
    harmonics = harmonics_tables(int(l_max.max()))
    return Shape(
        n_elements=n,
        kind=kind,
        k_rows=np.array([value.shape[1] for value, _ in maps], dtype=np.int64),
        n_rows=n_rows,
        matrix_start=np.array([start for start, _ in ranges], dtype=np.int64),
        table_start=np.zeros(n * n, dtype=np.int64),
        bond=parameters,
        table=np.zeros((0, 0)),
        row_start=row_start,
        row_l=np.array([l for l, _ in rows], dtype=np.int64),
        row_a=np.array([a for _, a in rows], dtype=np.int64),
        n_a=np.array([g.n_a for g in graphs], dtype=np.int64),
        n_nodes=np.array([g.n_nodes for g in graphs], dtype=np.int64),
        node_start=_starts([g.n_nodes for g in graphs])[:-1],
        n_density=np.array([e.ndensity for e in embeddings], dtype=np.int64),
        l_max=l_max,
        left=np.concatenate([g.left for g in graphs]),
        right=np.concatenate([g.right for g in graphs]),
        outer_start=_starts([len(g.outer) for g in graphs]),
        outer=np.concatenate([g.outer for g in graphs]),
        term_start=_term_starts(graphs),
        inner=np.concatenate([g.inner for g in graphs]),
        embedding=np.array([EMBEDDINGS[e.npot] for e in embeddings], dtype=np.int64),
        embedding_parameters=_embedding_parameters(embeddings),
        core_cut=np.array([[e.rho_core_cut, e.drho_core_cut] for e in embeddings]),
        has_core=bool((parameters[:, radial.CORE_MODE] != radial.CORE_NONE).any()),
        is_zbl="zbl" in modes,
        sector=harmonics.sector,
        climb=harmonics.climb,
    )


def _tabulate(
    potential: Potential,
    shape: Shape,
    bonds: list[tuple[str, str]],
    ranges: list[tuple[int, int]],
    maps: list[BaseMaps],
) -> tuple[Shape, list[BaseMaps]]:
    """Replace the analytic base by tables of g_k and of the core; the base maps become identities."""
    width = 2 * (max((bond.k_max for bond in potential.bonds.values()), default=0) + 1)
    tables, start, identity = [], 0, []
    kind, k_rows, parameters, starts = shape.kind.copy(), shape.k_rows.copy(), shape.bond.copy(), shape.table_start.copy()
    for b, (mu_i, mu_j) in enumerate(bonds):
        bond = potential.bond(mu_i, mu_j)
        if bond is None:
            identity.append(maps[b])
            continue
        n_bins = int(bond.rcut / potential.delta_spline_bins)
        h = bond.rcut / n_bins
        r = h * np.arange(1.0, n_bins + 1.0)
        table = np.zeros((n_bins + 1, width))
        if k_rows[b]:
            base, dbase = radial_base(kind[b], parameters[b], maps[b], r)
            table[1:, 0 : 2 * bond.k_max : 2] = base.T
            table[1:, 1 : 2 * bond.k_max : 2] = dbase.T * h
        k = bond.k_max if k_rows[b] else 0
        if shape.has_core:
            core = np.array([pair_core(parameters[b], distance) for distance in r])
            table[1:, 2 * k], table[1:, 2 * k + 1] = core[:, 0], core[:, 1] * h
        tables.append(table)
        starts[b], kind[b], k_rows[b] = start, radial.TABLE, k
        parameters[b, radial.TABLE_BIN], parameters[b, radial.TABLE_N] = h, n_bins
        identity.append((np.eye(k), np.eye(k)))
        start += n_bins + 1
    table = np.concatenate(tables) if tables else np.zeros((0, 0))
    return shape._replace(kind=kind, k_rows=k_rows, bond=parameters, table_start=starts, table=table), identity
