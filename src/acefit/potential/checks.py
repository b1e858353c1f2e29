"""Rules a potential must satisfy wherever it comes from: a file, an input section, or several potentials combined."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from acefit.basis.couplings import coupling_tree, is_admissible, tree_momenta
from acefit.errors import PotentialError
from acefit.potential.model import Bond, Embedding, Function, Potential

log = logging.getLogger(__name__)

ELEMENT = re.compile("[A-Z][a-z]?")
RADIAL_BASES = ("ChebExpCos", "ChebPow", "ChebLinear", "SBessel")
EMBEDDINGS = ("FinnisSinclair", "FinnisSinclairShiftedScaled")
INNER_CUTOFF_TYPES = ("density", "distance", "zbl")
NARROW_WINDOW = 0.1  # Å; the outer window of ChebExpCos hardly matters below


def check_element(symbol: str, where: str) -> None:
    """Refuse what does not look like an element symbol."""
    if not ELEMENT.fullmatch(symbol):
        raise PotentialError(f"{where}: {symbol!r} is not an element symbol such as Al")


def check_potential(potential: Potential, source: str) -> None:
    """Check every bond, embedding and function.

    Raises
    ------
    PotentialError
        Naming source, the block, and the function or key.
    """
    for element, embedding in potential.embeddings.items():
        check_embedding(embedding, f"{source}: block `{element}`")
    for (a, b), bond in potential.bonds.items():
        check_bond(bond, f"{source}: block `{a if a == b else f'{a} {b}'}`")
    modes = {bond.inner_cutoff_type for bond in potential.bonds.values()}
    if len(modes) > 1:
        raise PotentialError(f"{source}: inner_cutoff_type must be the same for all bonds, found {', '.join(sorted(modes))}")
    for block in potential.blocks:
        for number, function in enumerate(block.functions, 1):
            where = f"{source}: block `{' '.join(block.elements)}`, function {number}"
            check_function(function, where)
            if not function.skip:
                check_reach(function, potential, where)


def check_embedding(embedding: Embedding, where: str) -> None:
    """Name of the embedding."""
    if embedding.npot not in EMBEDDINGS:
        raise PotentialError(f"{where}: unknown embedding {embedding.npot!r}; possible are {', '.join(EMBEDDINGS)}")


def check_bond(bond: Bond, where: str) -> None:
    """Names and cutoffs of a bond."""
    if bond.radbase not in RADIAL_BASES and not bond.radbase.startswith("TEST_"):
        raise PotentialError(f"{where}: unknown radial basis {bond.radbase!r}; possible are {', '.join(RADIAL_BASES)}")
    if not bond.radparameters:
        raise PotentialError(
            f"{where}: radparameters must have at least one number, even where the radial basis has no parameter"
        )
    if bond.inner_cutoff_type not in INNER_CUTOFF_TYPES:
        raise PotentialError(
            f"{where}: unknown inner_cutoff_type {bond.inner_cutoff_type!r}; possible are {', '.join(INNER_CUTOFF_TYPES)}"
        )
    if bond.rcut <= 0:
        raise PotentialError(f"{where}: the outer cutoff must be positive, got {bond.rcut:g} Å; set rcut")
    if min(bond.dcut, bond.rcut_in, bond.dcut_in) < 0:
        raise PotentialError(f"{where}: dcut, r_in and delta_in must not be negative")


def check_function(function: Function, where: str) -> None:
    """Lengths, ranges and coupling of one function on its own."""
    order, ns, ls, lint = function.order, function.ns, function.ls, function.lint
    if order < 1 or len(function.elements) != order + 1 or len(ls) != order:
        raise PotentialError(
            f"{where}: type names {len(function.elements) - 1} neighbours, so nr and nl need as many numbers, "
            f"got {order} and {len(ls)}"
        )
    if len(lint) != max(order - 2, 0):
        raise PotentialError(f"{where}: order {order} has {max(order - 2, 0)} intermediate momenta, but lint has {len(lint)}")
    if min(ns) < 1 or min(ls) < 0 or min(lint, default=0) < 0:
        raise PotentialError(f"{where}: nr starts at 1, nl and lint at 0; got nr {list(ns)}, nl {list(ls)}, lint {list(lint)}")
    if order == 1:
        if ls != (0,):
            raise PotentialError(f"{where}: a function of order 1 has nl [0], got {list(ls)}")
        return
    momenta = tree_momenta(ls, lint)
    a, b = coupling_tree(order)[-1]
    if momenta[a] != momenta[b]:
        raise PotentialError(f"{where}: the last coupling of nl {list(ls)}, lint {list(lint)} does not reach total momentum 0")
    if sum(ls) % 2:
        raise PotentialError(f"{where}: the sum of nl {list(ls)} must be even")
    if not is_admissible(ls, lint):
        log.warning("%s: lint %s violates a triangle rule, so this function is always zero", where, list(lint))


def check_reach(function: Function, potential: Potential, where: str) -> None:
    """Every slot must lie within the bond it uses."""
    central = function.elements[0]
    for element, n, l in zip(function.elements[1:], function.ns, function.ls, strict=True):
        bond = potential.bond(central, element)
        if bond is None:
            raise PotentialError(f"{where}: the pair {central}-{element} has no bond; add a block `{central} {element}` with one")
        if function.order == 1:
            if n > bond.k_max:
                raise PotentialError(f"{where}: nr {n} exceeds nradbaseij = {bond.k_max} of the bond {central}-{element}")
        elif n > bond.n_max or l > bond.l_max:
            limits = f"nradmaxi = {bond.n_max}, lmaxi = {bond.l_max}"
            raise PotentialError(f"{where}: nr {n}, nl {l} exceed {limits} of the bond {central}-{element}")


def doubts(potential: Potential) -> Iterator[str]:
    """Yield what is worth knowing about a potential that comes from elsewhere: legal, but perhaps not what its maker thinks."""
    yield from _training_doubts(potential)
    for (a, b), bond in potential.bonds.items():
        here = f"bond {a}-{b}"
        if bond.radbase == "ChebLinear":
            yield f"{here}: ChebLinear does not vanish at the cutoff, so that energies jump when an atom crosses it"
        if bond.inner_cutoff_type == "density" and bond.rcut_in > bond.dcut_in:
            yield f"{here}: with inner_cutoff_type: density the radial functions end abruptly at r_in - delta_in"
        if bond.inner_cutoff_type == "zbl" and bond.dcut_in == 0.0:
            yield f"{here}: zbl without delta_in switches in one step at r_in; pacemaker ends the radial functions at 1 Å as well"


def _training_doubts(potential: Potential) -> Iterator[str]:
    """Where pacemaker's training model is not the one that is evaluated; potentials that acefit fitted say so and are sound."""
    if "acefit_version" in potential.metadata:
        return
    bonds, embeddings = potential.bonds.values(), potential.embeddings.values()
    reasons = []
    if any(e.npot == "FinnisSinclair" and set(e.parameters[1::2]) != {1.0} for e in embeddings):
        reasons.append("FinnisSinclair with an exponent other than 1")
    if any(bond.radbase == "ChebExpCos" and bond.dcut > NARROW_WINDOW for bond in bonds):
        reasons.append(f"ChebExpCos with dcut above {NARROW_WINDOW:g} Å")
    if any(bond.core_repulsion[0] != 0.0 and bond.inner_cutoff_type != "zbl" for bond in bonds):
        reasons.append("core repulsion")
    if reasons:
        yield f"if pacemaker trained it, its errors may be larger than its fit reported, because of {', '.join(reasons)}"
