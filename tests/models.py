"""Small random potentials and structures for the tests of the model and of the loss."""

from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from acefit.basis.expansion import build_target
from acefit.data.neighborlists import build
from acefit.data.structures import StructureSet
from acefit.potential.parameters import parameter_layout

RADBASES = ("SBessel", "ChebExpCos", "ChebPow", "ChebLinear")
MODES = ("density", "distance", "zbl")
EMBEDDINGS = ("FinnisSinclair", "FinnisSinclairShiftedScaled")
ELEMENTS = ("Al", "Cu", "Ni")

# Densities per element: different numbers, exponents and signs of the prefactors
DENSITIES = {"Al": [1.0, 1.0, 0.7, 0.5], "Cu": [1.0, 0.8], "Ni": [1.0, 0.5, -0.4, 1.0, 0.3, 2.0]}
ORDERS = {
    1: ([4, 2, 2, 1, 1, 1], [0, 3, 2, 1, 1, 1]),
    2: ([3, 2, 1, 1], [0, 1, 1, 1]),
    3: ([2, 1, 1], [0, 1, 0]),
}
CUTOFFS = {"AlAl": 4.6, "AlCu": 4.2, "AlNi": 5.0, "CuCu": 4.0, "CuNi": 4.4, "NiNi": 3.9}
# rho_core_cut and drho_core_cut that switch some atoms of `random_structures` off in part
CORE_CUTS = {"density": (1.0, 0.9), "distance": (0.5, 0.48), "zbl": (1e5, 250.0)}


def random_potential(
    n_elements=1,
    radbases=RADBASES[:3],
    mode="distance",
    npot=EMBEDDINGS[1],
    core=True,
    orders=None,
    seed=0,
    scale=0.3,
    gaps=False,
    **bond_options,
):
    """Potential of the first n_elements of ELEMENTS; bonds differ in radial base, cutoff and windows.

    With gaps, functions of order >= 2 are left out such that each bond lacks some l, at either end or in between.
    """
    elements = ELEMENTS[:n_elements]
    bonds = {}
    for number, pair in enumerate(p for p in sorted(CUTOFFS) if p[:2] in elements and p[2:] in elements):
        bonds[pair] = {
            "radbase": radbases[number % len(radbases)],
            "radparameters": [1.5 + 0.5 * number],
            "rcut": CUTOFFS[pair],
            "dcut": 0.3 + 0.1 * number,
            "r_in": 2.3 - 0.1 * number,
            "delta_in": 0.7 - 0.05 * number,
            "inner_cutoff_type": mode,
            "core-repulsion": ([0.02, 1.0] if mode == "zbl" else [8.0 + number, 0.5]) if core else [0.0, 0.0],
            **bond_options,
        }
    n_by_order, l_by_order = ORDERS[n_elements] if orders is None else orders
    section = {
        "elements": list(elements),
        "embeddings": {
            e: {
                "npot": npot,
                "fs_parameters": DENSITIES[e],
                "ndensity": len(DENSITIES[e]) // 2,
                "rho_core_cut": CORE_CUTS[mode][0],
                "drho_core_cut": CORE_CUTS[mode][1],
            }
            for e in elements
        },
        "bonds": bonds,
        "functions": {"ALL": {"nradmax_by_orders": n_by_order, "lmax_by_orders": l_by_order}},
    }
    target = build_target(section)
    return randomized(without_some_l(target) if gaps else target, seed, scale)


def without_some_l(potential):
    """Like elements lack l = 0 and 2, unlike ones l = 1 and everything from 3 on."""

    def is_kept(function):
        pairs = [(element == function.elements[0], l) for element, l in zip(function.elements[1:], function.ls, strict=True)]
        return function.order == 1 or not any(l in (0, 2) if is_like else l == 1 or l > 2 for is_like, l in pairs)

    blocks = [replace(block, functions=tuple(filter(is_kept, block.functions))) for block in potential.blocks]
    return replace(potential, blocks=type(potential.blocks)(blocks))


def randomized(potential, seed=0, scale=0.3):
    """The potential with random coefficients."""
    layout, rng = parameter_layout(potential), np.random.default_rng(seed)
    x = layout.vector()
    x[: layout.n_radial] += rng.normal(0.0, 0.3, layout.n_radial)
    x[layout.n_radial :] = rng.normal(0.0, scale, layout.n_func)
    return layout.apply(x)


def arranged(rng, elements, n, cell, pbc, shortest=1.95):
    """Random positions of n atoms that keep a shortest distance, images included."""
    cell = np.array(cell, dtype=float)
    for _ in range(5000):
        atoms = Atoms(rng.choice(elements, n), rng.random((n, 3)) @ cell, cell=cell, pbc=pbc)
        if n == 1 or build(StructureSet.from_ase([atoms]), 6.0).distances().min(initial=9.0) > shortest:
            return atoms
    raise AssertionError("no arrangement found")


def random_structures(elements, seed=0):
    """A list of atoms: kinds of cells and periodicity, with energies, forces and (where there is a cell) stresses."""
    rng = np.random.default_rng(seed)
    triclinic = [[4.3, 0, 0], [0.6, 4.1, 0], [0.3, -0.5, 4.4]]
    box = 6.0 * np.eye(3)
    frames = {
        "triclinic": arranged(rng, elements, 4, triclinic, True),
        "left-handed": arranged(rng, elements, 3, np.array(triclinic)[[1, 0, 2]], True),
        "flat": arranged(rng, elements, 2, [[5.0, 0, 0], [0.4, 4.8, 0], [1.0, 1.5, 2.1]], True),
        "small": arranged(rng, elements, 1, [[2.4, 0, 0], [0.2, 2.5, 0], [0.1, 0.3, 2.2]], True),
        "slab": arranged(rng, elements, 4, box * [0.8, 0.8, 0.8], [True, True, False]),
        "wire": arranged(rng, elements, 3, box * 0.7, [False, False, True]),
        "cluster": arranged(rng, elements, 9, box, False),
        "dimer": Atoms(rng.choice(elements, 2), [[0, 0, 0], [0.9, 1.1, 1.4]]),
        "close": Atoms(rng.choice(elements, 3), [[0, 0, 0], [0.2, 1.1, 1.5], [1.9, 0.2, -0.3]]),
        "isolated": Atoms(elements[0], [[0.3, 0.2, 0.1]]),
    }
    for name, atoms in frames.items():
        atoms.info["name"] = name
        results = {"energy": rng.normal(), "forces": rng.normal(size=(len(atoms), 3))}
        if atoms.cell.rank == 3:
            results["stress"] = rng.normal(0.0, 0.1, 6)
        atoms.calc = SinglePointCalculator(atoms, **results)
    return list(frames.values())


def prepared(atoms, cutoff):
    """StructureSet and NeighborList of one or several ASE structures."""
    structures = StructureSet.from_ase([atoms] if isinstance(atoms, Atoms) else atoms)
    return structures, build(structures, cutoff)
