import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acefit.calculator import ACECalculator
from acefit.errors import PotentialError
from acefit.potential.bbasis import format_potential, parse_potential, read_potential
from acefit.potential.model import Embedding
from acefit.potential.yace_read import MAX_ORDER, import_yace, parse_yace, read_yace, without_padding
from acefit.potential.yace_write import format_yace, write_yace
from conftest import shared_path
from models import ELEMENTS, EMBEDDINGS, MODES, RADBASES, random_potential, random_structures

SPECIFIED = """\
elements: [Al]
E0: [-1.5]
deltaSplineBins: 0.001
embeddings:
  0: {ndensity: 1, FS_parameters: [1, 1], npoti: FinnisSinclair, rho_core_cutoff: 100000, drho_core_cutoff: 250}
bonds:
  [0, 0]: {nradmax: 1, lmax: 1, nradbasemax: 2, radbasename: SBessel, radparameters: [5.25], \
radcoefficients: [[[1, 0], [1, 0]]], prehc: 0, lambdahc: 0, rcut: 5, dcut: 0.01, \
rcut_in: 0, dcut_in: 0, inner_cutoff_type: distance}
functions:
  0:
    - {mu0: 0, rank: 1, ndensity: 1, num_ms_combs: 1, mus: [0], ns: [1], ls: [0], ms_combs: [0], ctildes: [0.4]}
    - {mu0: 0, rank: 2, ndensity: 1, num_ms_combs: 2, mus: [0, 0], ns: [1, 1], ls: [1, 1], ms_combs: [0, 0, 1, -1], \
ctildes: [-0.1, 0.2]}
"""


def changed(old, new):
    assert old in SPECIFIED
    return SPECIFIED.replace(old, new)


def largest_difference(one, two, structures):
    """Of energies of atoms and forces, divided by 1 + the largest value."""
    calculators, worst = [ACECalculator(one), ACECalculator(two)], 0.0
    for atoms in structures:
        found = []
        for calculator in calculators:
            copy = atoms.copy()
            copy.calc = calculator
            found.append((copy.get_potential_energies(), copy.get_forces()))
        worst = max([worst, *(np.abs(a - b).max() / (1 + np.abs(a).max()) for a, b in zip(*found, strict=True))])
    return worst


@pytest.mark.parametrize(
    ("n_elements", "mode", "npot", "radbases"),
    [
        *((1, mode, EMBEDDINGS[k % 2], RADBASES) for k, mode in enumerate(MODES)),
        (2, "zbl", EMBEDDINGS[0], RADBASES),
        (3, "distance", EMBEDDINGS[1], RADBASES[1:]),
    ],
)
def test_parse_yace__gives_the_energies_and_forces_of_what_was_written(n_elements, mode, npot, radbases):
    potential = random_potential(n_elements, mode=mode, npot=npot, radbases=radbases, seed=5)
    again = parse_yace(format_yace(potential))
    assert [again.embeddings[e] for e in again.elements] == [potential.embeddings[e] for e in potential.elements]
    assert largest_difference(potential, again, random_structures(ELEMENTS[:n_elements])) < 1e-13


@pytest.mark.parametrize("name", ["Cu-III", "multispecies_AlNi_asi", "syn_AlNi_zbl"])
def test_parse_yace__gives_the_energies_of_potentials_of_the_reference(name):
    potential = read_potential(shared_path("golden", f"{name}.yaml"))
    again = parse_yace(format_yace(potential))
    assert largest_difference(potential, again, random_structures(potential.elements)) < 1e-12


def test_parse_yace__reads_the_example_of_the_format():
    potential = parse_yace(SPECIFIED)
    assert potential.e0 == {"Al": -1.5}
    pair, three = potential.functions()
    assert (pair.ns, pair.coeffs) == ((1,), (0.4,))
    assert three.coeffs[0] == pytest.approx(0.1 * np.sqrt(3))
    assert potential.bonds["Al", "Al"].inner_cutoff_type == "distance"


def test_parse_yace__takes_elements_in_any_order():
    potential = random_potential(2)
    text = format_yace(potential).replace("elements: [Al, Cu]", "elements: [Zn, Cu]").replace("E0: [0, 0]", "E0: [2, 0]")
    swapped = parse_yace(text)
    assert swapped.elements == ("Cu", "Zn")
    assert swapped.e0 == {"Cu": 0.0, "Zn": 2.0}
    np.testing.assert_array_equal(swapped.bond("Zn", "Cu").crad, potential.bond("Al", "Cu").crad)
    np.testing.assert_array_equal(swapped.bond("Zn", "Zn").crad, potential.bond("Al", "Al").crad)


def test_parse_yace__adds_functions_that_stand_twice():
    line = SPECIFIED.splitlines()[-1]
    twice = parse_yace(SPECIFIED + line + "\n")
    assert [f.coeffs[0] for f in twice.functions()][1] == pytest.approx(0.2 * np.sqrt(3))


def test_parse_yace__the_bond_read_last_says_the_mode(caplog):
    text = format_yace(random_potential(2, mode="density"))
    before, _, after = text.rpartition("inner_cutoff_type: density")
    mixed = f"{before}inner_cutoff_type: distance{after}"
    with caplog.at_level(logging.WARNING):
        potential = parse_yace(mixed)
    assert {bond.inner_cutoff_type for bond in potential.bonds.values()} == {"distance"}
    assert "that of the last one, distance, counts for all" in caplog.text


def test_parse_yace__applies_the_defaults_of_old_files():
    keys = (", rcut_in: 0, dcut_in: 0, inner_cutoff_type: distance", ", prehc: 0, lambdahc: 0")
    text = changed(", rho_core_cutoff: 100000, drho_core_cutoff: 250", "")
    for key in keys:
        text = text.replace(key, "")
    old = parse_yace(text)
    assert old.bonds["Al", "Al"].inner_cutoff_type == "density"
    assert old.embeddings["Al"] == Embedding("FinnisSinclair", (1.0, 1.0))


def test_parse_yace__pairs_without_a_bond_do_not_interact(caplog):
    potential = random_potential(2)
    text = format_yace(replace(potential, blocks=tuple(b for b in potential.blocks if b.arity == 1)))
    lines = [line for line in text.splitlines() if not line.startswith(("  [0, 1]", "  [1, 0]"))]
    with caplog.at_level(logging.WARNING):
        found = parse_yace("\n".join(lines) + "\n")
    assert "Al-Cu: no entry in bonds" in caplog.text
    assert found.bond("Al", "Cu") is None


def test_without_padding__takes_off_only_what_has_neither_weight_nor_coefficients():
    potential = random_potential(1)
    weight = replace(potential, embeddings={"Al": replace(potential.embeddings["Al"], parameters=(1.0, 1.0, 0.0, 1.0))})
    assert without_padding(weight).embeddings["Al"].ndensity == 2
    cleared = tuple(
        replace(block, functions=tuple(f._replace(coeffs=(f.coeffs[0], 0.0)) for f in block.functions)) for block in weight.blocks
    )
    taken = without_padding(replace(weight, blocks=cleared))
    assert taken.embeddings["Al"].parameters == (1.0, 1.0)
    assert {len(f.coeffs) for f in taken.functions()} == {1}


def test_e0__survives_the_b_basis_file_and_is_added_by_the_calculator(tmp_path):
    potential = random_potential(2).with_e0({"Al": -1.25, "Cu": 3.5})
    write_yace(potential, tmp_path / "a.yace")
    from_yace = read_yace(tmp_path / "a.yace")
    from_yaml = parse_potential(format_potential(from_yace))
    assert from_yace.e0 == from_yaml.e0 == {"Al": -1.25, "Cu": 3.5}
    (atoms,) = (a for a in random_structures(("Al", "Cu")) if a.info["name"] == "cluster")
    energies = []
    for each in (potential.with_e0({}), tmp_path / "a.yace", from_yaml):
        atoms.calc = ACECalculator(each)
        energies.append((atoms.get_potential_energy(), atoms.get_potential_energies()))
    added = np.where(atoms.symbols == "Al", -1.25, 3.5)
    for total, of_atoms in energies[1:]:
        assert total == pytest.approx(energies[0][0] + added.sum())
        np.testing.assert_allclose(of_atoms, energies[0][1] + added, rtol=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bonds:", "bond:", "not a C-tilde potential"),
        ("elements: [Al]", "elements: []", "elements is empty"),
        ("elements: [Al]", "elements: [Al, Al]", "an element occurs twice"),
        ("elements: [Al]", "elements: [al]", "is not an element symbol"),
        ("elements: [Al]", "elements: [Al, Ni]", "2 elements need as many numbers in E0"),
        ("E0: [-1.5]", "E0: [nan]", "E0: expected a finite number"),
        ("deltaSplineBins: 0.001", "deltaSplineBins: 0", "deltaSplineBins must be positive"),
        ("  0: {ndensity: 1", "  3: {ndensity: 1", "there is no species 3"),
        ("  0: {ndensity: 1, FS", "  0: {ndensity: 2, FS", "2 densities need 4 FS_parameters"),
        ("FS_parameters", "fs_parameters", "the key FS_parameters is missing"),
        ("npoti: FinnisSinclair", "npoti: Spline", "unknown embedding 'Spline'"),
        ("  [0, 0]: {", "  0: {", "a key is a list of two species"),
        ("  [0, 0]: {", "  [0, 1]: {", "there is no species 1"),
        ("radbasename: SBessel", "radbasename: ACE.jl.base", "radial functions of ACE.jl .*not supported"),
        ("radbasename: SBessel", "radbasename: Nothing", "unknown radial basis 'Nothing'"),
        ("nradmax: 1", "nradmax: 999999999", "nradmax must lie between 0 and 1000"),
        ("nradmax: 1", "nradmax: 2", "nradmaxi = 2 radial functions, but only 1 are listed"),
        ("nradmax: 1, ", "", "the key nradmax is missing"),
        (", rcut: 5,", ",", "the key rcut is missing"),
        ("inner_cutoff_type: distance", "inner_cutoff_type: near", "unknown inner_cutoff_type 'near'"),
        ("rank: 2", "rank: 3", "must be the length of mus, ns and ls"),
        ("mu0: 0, rank: 1", "mu0: 1, rank: 1", "there is no species 1"),
        ("rank: 2, ndensity: 1", "rank: 2, ndensity: 2", "ndensity is 2, but the embedding of Al has 1"),
        ("num_ms_combs: 2", "num_ms_combs: 3", "num_ms_combs 3 needs as many tuples"),
        ("ms_combs: [0, 0, 1, -1]", "ms_combs: [0, 0, 1, 1]", "those of a term must add up to 0"),
        ("ms_combs: [0, 0, 1, -1]", "ms_combs: [0, 0, 2, -2]", "each m must lie between -l and l"),
        ("ns: [1, 1]", "ns: [0, 1]", "ns begins at 1"),
        ("ns: [1, 1]", "ns: [1, 2]", "exceed nradmaxi = 1"),
        ("ctildes: [-0.1, 0.2]", "ctildes: [-0.1, 0.21]", "no rotation invariant"),
        ("ctildes: [-0.1, 0.2]", "ctildes: [-0.1, x]", "ctildes: expected a number"),
        ("mus: [0, 0]", "mus: [0, -1]", "there is no species -1"),
    ],
)
def test_parse_yace__refuses(old, new, message):
    with pytest.raises(PotentialError, match=message):
        parse_yace(changed(old, new), "a.yace")


def test_parse_yace__refuses_functions_of_absurd_size():
    order, l = MAX_ORDER, 9
    huge = (
        f"    - {{mu0: 0, rank: {order}, ndensity: 1, num_ms_combs: 1, mus: {[0] * order}, ns: {[1] * order}, ls: {[l] * order}, "
        f"ms_combs: {[0] * order}, ctildes: [1]}}\n"
    )
    with pytest.raises(PotentialError, match="has more products than can be handled"):
        parse_yace(SPECIFIED + huge)


def test_parse_yace__mirror_bonds_must_agree():
    text = format_yace(random_potential(2))
    head, tail = text.split("  [1, 0]: ")
    with pytest.raises(PotentialError, match=r"bond \[1, 0\] of Cu-Al: rcut differs from that of \[0, 1\]"):
        parse_yace(head + "  [1, 0]: " + tail.replace("rcut: ", "rcut: 1", 1))


@pytest.mark.parametrize("text", ["", "[", "- a", "? {a: b}\n: c\n", "!!python/object/apply:os.system [true]", "[[0], 1]: 2"])
def test_parse_yace__refuses_what_is_no_map(text):
    with pytest.raises(PotentialError):
        parse_yace(text)


def test_parse_yace__refuses_every_truncation():
    text = SPECIFIED.rstrip()
    for length in range(0, len(text), 7):
        try:
            potential = parse_yace(text[:length])
        except PotentialError:
            continue
        assert potential.n_functions < 2  # a whole line is missing, which nothing in the format tells


def test_parse_yace__tags_run_nothing(tmp_path):
    mark = tmp_path / "mark"
    with pytest.raises(PotentialError):
        parse_yace(changed("E0: [-1.5]", f"E0: !!python/object/apply:os.mkdir [{mark}]"))
    assert not os.path.exists(mark)


def test_read_yace__names_what_cannot_be_read(tmp_path):
    with pytest.raises(PotentialError, match="no such potential file"):
        read_yace(tmp_path / "absent.yace")
    (tmp_path / "binary.yace").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PotentialError, match="cannot be read as a text file"):
        read_yace(tmp_path / "binary.yace")


def test_import_yace__logs_doubts(tmp_path, caplog):
    path = Path(tmp_path / "a.yace")
    path.write_text(changed("SBessel", "ChebLinear"))
    with caplog.at_level(logging.WARNING):
        import_yace(path)
    assert "ChebLinear does not vanish" in caplog.text
