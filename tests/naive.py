"""Slow and readable twins of the package, written from the formulas alone; nothing of `acefit` computes anything here.

Complex harmonics, couplings by ladder operators, the half m-space, one atom after the other, no tables. Only the objects of
`acefit.potential.model` are read.
"""

from functools import cache
from itertools import product
from math import cos, exp, factorial, pi, sqrt

import numpy as np
from ase import Atoms
from scipy.special import eval_chebyt, lpmv

CHARGES = {"H": 1, "Al": 13, "Cu": 29, "Ni": 28}
COULOMB = 14.399645351950543


def find_pairs(positions, cell, pbc, cutoff):
    """All pairs (i, j, shift a, shift b, shift c) closer than the cutoff, sorted; every image that may be close is tried."""
    pbc = np.array(pbc, dtype=bool)
    # The component of a pair vector along dual vector k is its number of cells along k, so it bounds the shifts
    dual = np.zeros((3, 3))
    if pbc.any():
        dual[pbc] = np.linalg.pinv(np.asarray(cell)[pbc]).T
    reach = cutoff * np.linalg.norm(dual, axis=1)
    found = []
    for i, j in product(range(len(positions)), repeat=2):
        difference = positions[j] - positions[i]
        cells = dual @ difference
        bounds = zip(np.ceil(-reach - cells - 1e-9), np.floor(reach - cells + 1e-9), pbc, strict=True)
        choices = [range(int(low), int(high) + 1) if periodic else (0,) for low, high, periodic in bounds]
        for shift in product(*choices):
            is_itself = i == j and shift == (0, 0, 0)
            if not is_itself and np.linalg.norm(difference + np.array(shift) @ np.asarray(cell)) < cutoff:
                found.append((i, j, *shift))
    return sorted(found)


def f_poly(r, r0, width):
    """Polynomial step from 1 at r0 - width to 0 at r0."""
    if r <= r0 - width:
        return 1.0
    if r >= r0:
        return 0.0
    x = 1 - 2 * (1 + (r - r0) / width)
    return 0.5 + 15 / 16 * x - 5 / 8 * x**3 + 3 / 16 * x**5


def f_cos(r, cutoff, width):
    """Cosine window from 1 at cutoff - width to 0 at cutoff."""
    if r <= cutoff - width:
        return 1.0
    return 0.5 * (1 + cos(pi * (r - cutoff + width) / width)) if r < cutoff else 0.0


def bessel_base(k_max, rc, r):
    """Orthonormalised spherical Bessel functions."""

    def f(n):
        a, b = n + 1, n + 2
        factor = (-1) ** n * sqrt(2) * pi * rc**-1.5 * a * b / sqrt(a**2 + b**2)
        return factor * (np.sinc(a * r / rc) + np.sinc(b * r / rc))

    g, d = [f(0)], 1.0
    for n in range(1, k_max):
        e = n**2 * (n + 2) ** 2 / (4 * (n + 1) ** 4 + 1)
        d_next = 1 - e / d
        g.append((f(n) + sqrt(e / d) * g[-1]) / sqrt(d_next))
        d = d_next
    return np.array(g[:k_max])


def radial_base(bond, r):
    """Functions g_k of a bond at one distance, shape (k_max,), windows included."""
    rc, k_max, mode = bond.rcut, bond.k_max, bond.inner_cutoff_type
    zero_below = 0.0 if mode == "zbl" else bond.rcut_in - bond.dcut_in
    if r <= zero_below or r >= rc:
        return np.zeros(k_max)
    orders = np.arange(1, k_max + 1)
    if bond.radbase == "ChebExpCos":
        lam = bond.radparameters[0]
        x = 1 - 2 * (exp(-lam * r / rc) - exp(-lam)) / (1 - exp(-lam))
        g = 0.5 * (1 - eval_chebyt(orders - 1, x))
        g[0] = 1.0
        g *= 0.5 * (1 + cos(pi * r / rc)) * f_cos(r, rc, bond.dcut)
    elif bond.radbase == "ChebPow":
        g = 0.5 * (1 - eval_chebyt(orders, 1 - 2 * (1 - r / rc) ** bond.radparameters[0]))
    elif bond.radbase == "ChebLinear":
        g = 0.5 * (1 - eval_chebyt(orders, 1 - r / rc))
    else:
        g = bessel_base(k_max, rc, r)
    return g * (1 - f_poly(r, bond.rcut_in, bond.dcut_in)) if mode == "distance" else g


def screened(r, a):
    """Phi(r/a)/r of the universal screening function with two derivatives."""
    terms = [(0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162)]
    value = sum(c * exp(-d * r / a) / r for c, d in terms)
    slope = sum(-c * exp(-d * r / a) * (d / a / r + 1 / r**2) for c, d in terms)
    curvature = sum(c * exp(-d * r / a) * ((d / a) ** 2 / r + 2 * d / a / r**2 + 2 / r**3) for c, d in terms)
    return value, slope, curvature


def pair_core(bond, pair, r):
    """Core energy of one pair."""
    rc, (pre, lam) = bond.rcut, bond.core_repulsion
    if r >= rc or pre == 0:
        return 0.0
    if bond.inner_cutoff_type == "zbl":
        zi, zj = (CHARGES[symbol] for symbol in pair)
        a, w = 0.46850 / (zi**0.23 + zj**0.23), bond.dcut
        e, de, dde = screened(rc, a)
        shift = -e + w * de / 2 - w**2 * dde / 12
        if r > rc - w:
            shift += (-3 * de + w * dde) / w**2 / 3 * (r - rc + w) ** 3 + (2 * de - w * dde) / w**3 / 4 * (r - rc + w) ** 4
        return pre * COULOMB / 2 * zi * zj * (screened(r, a)[0] + shift) * f_poly(r, rc, bond.dcut)
    if abs(lam) * r**2 >= 50:
        return 0.0
    h = abs(pre) * exp(-abs(lam) * r**2) / r * 0.5 * (1 + cos(pi * r / rc))
    return h * f_poly(r, bond.rcut_in, bond.dcut_in) if bond.inner_cutoff_type == "distance" else h


def harmonic(l, m, u):
    """Y_lm with Condon-Shortley phase and Y_00 = 1."""
    if m < 0:
        return (-1) ** m * np.conj(harmonic(l, -m, u))
    norm = sqrt((2 * l + 1) * factorial(l - m) / factorial(l + m))
    return norm * lpmv(m, l, u[2]) * np.exp(1j * m * np.arctan2(u[1], u[0]))


@cache
def clebsch_gordan(j1, j2, j):
    """C(j1 m1 j2 m2 | j m) as a dictionary, from the state of highest m and the lowering operator."""

    def raised(a, m):
        return sqrt(a * (a + 1) - m * (m + 1))

    lowest = max(-j1, j - j2)
    state = {(lowest, j - lowest): 1.0}
    for m1 in range(lowest, min(j1, j + j2)):
        state[m1 + 1, j - m1 - 1] = -state[m1, j - m1] * raised(j1, m1) / raised(j2, j - m1 - 1)
    norm = sqrt(sum(c**2 for c in state.values()))
    sign = 1 if state[max(state)] > 0 else -1
    state = {key: sign * c / norm for key, c in state.items()}
    result = {}
    for m in range(j, -j - 1, -1):
        result |= {(m1, m2, m): c for (m1, m2), c in state.items()}
        if m == -j:
            break
        lower: dict[tuple[int, int], float] = {}
        for (m1, m2), c in state.items():
            for key, factor in (((m1 - 1, m2), raised(j1, m1 - 1)), ((m1, m2 - 1), raised(j2, m2 - 1))):
                if factor:
                    lower[key] = lower.get(key, 0.0) + c * factor / raised(j, m - 1)
        state = lower
    return result


def tree(order):
    """Nodes (a, b) of the coupling tree for orders 2 to 6; intermediates are numbered from order on."""
    return {
        2: [(0, 1)],
        3: [(0, 1), (3, 2)],
        4: [(0, 1), (2, 3), (4, 5)],
        5: [(0, 1), (2, 3), (5, 6), (7, 4)],
        6: [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)],
    }[order]


@cache
def couplings(ls, lint):
    """Coefficients of the tuples (m_1, ..) whose first non-zero entry is positive, doubled, and of the tuple of zeros."""
    terms = {}
    for ms in product(*(range(-l, l + 1) for l in ls)):
        leading = next((m for m in ms if m), 0)
        if sum(ms) or leading < 0:
            continue
        momenta, sums, value = [*ls, *lint, 0], list(ms), 2.0 if leading else 1.0
        for i, (a, b) in enumerate(tree(len(ls))):
            total = sums[a] + sums[b]
            sums.append(total)
            j1, j2, j = momenta[a], momenta[b], momenta[len(ls) + i]
            allowed = abs(j1 - j2) <= j <= j1 + j2
            value *= clebsch_gordan(j1, j2, j).get((sums[a], sums[b], total), 0.0) if allowed else 0.0
        if abs(value) > 1e-14:
            terms[ms] = value
    return terms


def phi(npot, rho, m):
    """Embedding function."""
    sign, a = np.copysign(1.0, rho), abs(rho)
    if npot == "FinnisSinclair":
        q = 1e6 ** (1 - m)
        if a <= 1e-10:
            return q * rho
        g = exp(-((1e6 * a) ** 3)) if (1e6 * a) ** 3 <= 30 else 0.0
        return sign * ((1 - g) * a**m + q * g * a)
    if abs(m - 1) < 1e-10:
        return rho
    return sign * ((m ** (1 / (1 - m)) * exp(-a) + a) ** m - m ** (m / (1 - m)) * exp(-a))


def projections(potential, centre, neighbors):
    """Values B of all functions of one atom, stored order; neighbors is a list of (element, vector)."""
    base, atomic = {}, {}
    for element, vector in neighbors:
        bond, r = potential.bond(centre, element), np.linalg.norm(vector)
        g = radial_base(bond, r)
        for k in range(bond.k_max):
            base[element, k + 1] = base.get((element, k + 1), 0.0) + g[k]
        radial = bond.crad @ g
        for l in range(bond.l_max + 1):
            ylm = np.array([harmonic(l, m, vector / r) for m in range(-l, l + 1)])
            for n in range(bond.n_max):
                key = (element, n + 1, l)
                atomic[key] = atomic.get(key, 0.0) + radial[n, l] * ylm
    values = []
    for function in (f for f in potential.functions() if f.elements[0] == centre):
        if function.order == 1:
            values.append(base.get((function.elements[1], function.ns[0]), 0.0))
            continue
        factors = [atomic.get(key) for key in zip(function.elements[1:], function.ns, function.ls, strict=True)]
        if any(a is None for a in factors):
            values.append(0.0)
            continue
        total = 0.0
        for ms, coupling in couplings(function.ls, function.lint).items():
            term = 1.0
            for a, l, m in zip(factors, function.ls, ms, strict=True):
                term = term * a[m + l]
            total += coupling * np.real(term)
        values.append(total)
    return np.array(values)


def core_and_cut(potential, centre, neighbors):
    """Core energy of one atom and f_cut."""
    core = sum(pair_core(potential.bond(centre, e), (centre, e), np.linalg.norm(v)) for e, v in neighbors)
    if {bond.inner_cutoff_type for bond in potential.bonds.values()} != {"zbl"}:
        embedding = potential.embeddings[centre]
        return core, f_poly(core, embedding.rho_core_cut, embedding.drho_core_cut)
    bonds = [(potential.bond(centre, e), np.linalg.norm(v)) for e, v in neighbors]
    gaps = [(r - bond.rcut_in + bond.dcut_in, bond.dcut_in) for bond, r in bonds if r < bond.rcut]
    if not gaps:
        return core, 1.0
    nearest, width = min(gaps)
    return core, f_poly(width - nearest, width, width) if width else float(nearest >= 0)


def atomic_energy(potential, centre, neighbors):
    """Energy of one atom."""
    embedding = potential.embeddings[centre]
    functions = [f for f in potential.functions() if f.elements[0] == centre]
    coefficients = np.array([f.coeffs for f in functions]).reshape(len(functions), embedding.ndensity)
    rho = projections(potential, centre, neighbors) @ coefficients
    pairs = np.reshape(embedding.parameters, (-1, 2))
    value = sum(w * phi(embedding.npot, density, m) for (w, m), density in zip(pairs, rho, strict=True))
    core, cut = core_and_cut(potential, centre, neighbors)
    is_zbl = potential.bond(centre, centre).inner_cutoff_type == "zbl"
    return cut * value + (1 - cut if is_zbl else 1.0) * core


def environments(potential, atoms):
    """Element and neighbours (element, vector) of every atom."""
    symbols, positions, cell = atoms.get_chemical_symbols(), atoms.positions, atoms.cell.array
    result = [(symbol, []) for symbol in symbols]
    for i, j, *shift in find_pairs(positions, cell, atoms.pbc, potential.cutoff):
        result[i][1].append((symbols[j], positions[j] - positions[i] + np.array(shift) @ cell))
    return result


def atomic_energies(potential, atoms):
    """Energies of all atoms, shape (A,)."""
    return np.array([atomic_energy(potential, *environment) for environment in environments(potential, atoms)])


def forces(potential, atoms, h=1e-4):
    """Forces by central differences of fourth order in the naive energy."""
    result = np.zeros((len(atoms), 3))
    for i, axis in np.ndindex(result.shape):
        energies = []
        for step in (-2, -1, 1, 2):
            moved: Atoms = atoms.copy()
            moved.positions[i, axis] += step * h
            energies.append(atomic_energies(potential, moved).sum())
        result[i, axis] = -(energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * h)
    return result
