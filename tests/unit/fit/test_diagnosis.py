"""Words for a loss that is not finite."""

from types import SimpleNamespace

import numpy as np
from ase import Atoms

from acefit.data.structures import StructureSet
from acefit.fit.diagnosis import explain_non_finite


def structures(n=5):
    frames = [Atoms("Cu2", [[0, 0, 0], [0, 0, 0.1 + k]], info={"name": f"s{k}"}) for k in range(n)]
    return StructureSet.from_ase(frames)


def evaluation(energies, forces, **terms):
    return SimpleNamespace(terms=terms, energies=np.array(energies), forces=np.array(forces))


def test_explain__names_terms_and_structures_with_their_shortest_distance():
    energies, forces = np.zeros(5), np.zeros((10, 3))
    energies[0], forces[3, 1] = np.nan, np.inf
    text = explain_non_finite(evaluation(energies, forces, energy=np.nan, force=np.inf, l2=0.5), structures())
    names = structures().names
    assert "not finite are the terms energy, force" in text
    assert (
        f"predictions fail for 2 structures: {names[0]!r} (shortest distance 0.1 Å), {names[1]!r} (shortest distance 1.1 Å)"
        in text
    )


def test_explain__names_the_first_few():
    text = explain_non_finite(evaluation(np.full(5, np.nan), np.zeros((10, 3)), energy=np.nan), structures())
    assert "fail for 5 structures" in text
    assert text.endswith(" …")
    # the fourth has no neighbour near enough to speak of
    assert repr(structures().names[3]) not in text


def test_explain__makes_do_without_predictions():
    assert explain_non_finite(SimpleNamespace(terms={"energy": 1.0}), structures()) == "; its gradient is not finite"
    assert (
        explain_non_finite(evaluation(np.zeros(5), np.zeros((10, 3)), l1=np.inf), structures()) == "; not finite are the terms l1"
    )
