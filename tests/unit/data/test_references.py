import json
import logging

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acefit.data.references import Composition, References, count_elements, determine_references, join_compositions
from acefit.data.structures import StructureSet
from acefit.errors import DataError


def make_set():
    frames = [
        Atoms("NiAl", [[0, 0, 0], [0, 0, 2.5]], cell=[4, 4, 5], pbc=True),
        bulk("Al"),
        Atoms("Ni2Al", np.eye(3) * 2),
        bulk("Ni", cubic=True),
        Atoms("Al2", [[0, 0, 0], [0, 0, 2.6]], cell=[9, 9, 9], pbc=True),
    ]
    return StructureSet.from_ase(frames)


ENERGIES = np.array([-9.0, -3.7, -12.0, -22.0, -5.0])


def test_count_elements__alphabetical_columns():
    counts, numbers = count_elements(make_set())
    assert numbers.tolist() == [13, 28]
    assert counts.tolist() == [[1, 1], [1, 0], [1, 2], [0, 4], [2, 0]]


def test_references__map_with_shift():
    references = determine_references({"Al": -3.5, "Ni": -5, "shift": 0.25}, Composition.of(make_set()), ENERGIES)
    assert references.correct(Composition.of(make_set()), ENERGIES) == pytest.approx([0.0, 0.05, 2.25, -1.0, 2.5], abs=1e-14)
    assert json.loads(references.to_json()) == {"Al": -3.5, "Ni": -5.0, "shift": 0.25}
    assert References.from_json(references.to_json()) == References(references.energies, 0.25, "metadata")


def test_references__missing_elements_count_as_zero_and_are_reported(caplog):
    with caplog.at_level(logging.WARNING):
        references = determine_references({"Al": -3.0}, Composition.of(make_set()), ENERGIES)
    assert "no entry for Ni" in caplog.text
    assert references.correct(Composition.of(make_set()), ENERGIES)[3] == -22.0


def test_references__a_number_counts_for_every_element():
    references = determine_references(-2.0, Composition.of(make_set()), ENERGIES)
    assert references.energies == {"Al": -2.0, "Ni": -2.0}
    assert references.correct(Composition.of(make_set()), ENERGIES).tolist() == [-5.0, -1.7000000000000002, -6.0, -14.0, -1.0]


def test_references__auto_is_least_squares_with_the_most_dilute_structure_at_zero():
    references = determine_references("auto", Composition.of(make_set()), ENERGIES)
    counts = count_elements(make_set())[0]
    expected = np.linalg.lstsq(counts, ENERGIES, rcond=None)[0]
    assert list(references.energies.values()) == pytest.approx(expected, rel=1e-12)
    corrected = references.correct(Composition.of(make_set()), ENERGIES)
    assert corrected[4] == pytest.approx(0.0, abs=1e-13)
    assert corrected - references.shift * counts.sum(axis=1) == pytest.approx(ENERGIES - counts @ expected, abs=1e-12)


def test_references__auto_ignores_structures_without_energy():
    energies = np.append(ENERGIES[:4], np.nan)
    references = determine_references("auto", Composition.of(make_set()), energies)
    assert references == determine_references("auto", Composition.of(make_set().select([0, 1, 2, 3])), ENERGIES[:4])
    assert np.isnan(references.correct(Composition.of(make_set()), energies)[4])


def test_references__auto_without_volumes_has_no_shift():
    molecules = make_set().select([2])
    assert determine_references("auto", Composition.of(molecules), np.array([-12.0])).shift == 0.0
    with pytest.raises(DataError, match="auto needs total energies"):
        determine_references("auto", Composition.of(molecules), np.array([np.nan]))


def test_references__isolated_atoms():
    frames = [Atoms("Al"), Atoms("Al", cell=[10, 10, 10], pbc=True), bulk("Ni"), Atoms("Ni"), bulk("Al")]
    structures, energies = StructureSet.from_ase(frames), np.array([-0.2, -0.3, -5.0, -0.7, -3.7])
    expected = References({"Al": -0.3, "Ni": -0.7}, 0.0, "isolated")
    assert determine_references("isolated", Composition.of(structures), energies) == expected
    with pytest.raises(DataError, match="finds no single atom of Ni with an energy; add one or use a map"):
        determine_references("isolated", Composition.of(structures.select([0, 2])), energies[[0, 2]])
    with pytest.raises(DataError, match=r"isolated needs total energies, and no structure has one; .* with data\.energy_key"):
        determine_references("isolated", Composition.of(structures), np.full(5, np.nan))


def test_references__table(tmp_path):
    path = tmp_path / "free.csv"
    path.write_text("# free atoms, eV\nelement,energy\nAl,-0.25\nCu,-0.1\nNi,-0.5\n")
    assert determine_references(str(path), Composition.of(make_set()), ENERGIES) == References(
        {"Al": -0.25, "Ni": -0.5}, 0.0, "table"
    )
    path.write_text("element,energy\nAl,-0.25\n")
    with pytest.raises(DataError, match=r"free\.csv has no reference energy of Ni"):
        determine_references(str(path), Composition.of(make_set()), ENERGIES)
    path.write_text("element,energy\nAl,low\n")
    with pytest.raises(DataError, match="energies must be numbers of eV"):
        determine_references(str(path), Composition.of(make_set()), ENERGIES)
    path.write_text("Al,-0.25\n")
    with pytest.raises(DataError, match="must have the columns element and energy"):
        determine_references(str(path), Composition.of(make_set()), ENERGIES)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("VASP_PBE_500_0.125_0.1_NM", "no tables of free-atom energies are built in: give the path of one"),
        ({"Xx": 1.0}, "'Xx' is no chemical element"),
        ({"Al": "low"}, "the value of Al must be a number of eV, not 'low'"),
        ({"Al": float("nan")}, "the value of Al must be a number"),
        ([1.0], r"\[1\.0\] is not a map, a number"),
        (True, "True is not a map, a number"),
    ],
)
def test_references__refuses(setting, message):
    with pytest.raises(DataError, match=message):
        determine_references(setting, Composition.of(make_set()), ENERGIES)


@pytest.mark.parametrize(("text", "message"), [("{", "is not JSON"), ("[1]", "must be a map")])
def test_from_json__refuses(text, message):
    with pytest.raises(DataError, match=message):
        References.from_json(text)


def test_join_compositions__is_the_composition_of_all():
    whole, parts = make_set(), [[0, 1], [], [2], [3, 4]]
    joined = join_compositions([Composition.of(whole.select(np.array(rows, dtype=int))) for rows in parts])
    for name in ("numbers", "counts", "volumes", "isolated", "n_atoms"):
        assert np.array_equal(getattr(joined, name), getattr(Composition.of(whole), name))
    for name in ("numbers", "counts"):
        assert np.array_equal(getattr(joined.select(np.array([4, 0])), name), getattr(Composition.of(whole.select([4, 0])), name))


def test_references__auto_says_when_compositions_do_not_determine_them(caplog):
    frames = [Atoms("NiAl", [[0, 0, 0], [0, 0, 2.5 + 0.1 * k]]) for k in range(3)]
    references = determine_references("auto", Composition.of(StructureSet.from_ase(frames)), np.array([-9.0, -9.2, -9.4]))
    assert references.energies == pytest.approx({"Al": -4.6, "Ni": -4.6}, rel=1e-12)
    assert "the compositions determine only 1 of 2 reference energies (Al, Ni)" in references.note
    assert determine_references("auto", Composition.of(make_set()), ENERGIES).note == ""


@pytest.mark.parametrize(
    ("row", "message"), [("Cu", "finite numbers"), ("Cu,inf", "finite numbers"), ("Cu,\xff", "could not convert")]
)
def test_table__names_the_file_of_bad_rows(tmp_path, row, message):
    (tmp_path / "t.csv").write_text(f"element,energy\n{row}\n")
    with pytest.raises(DataError, match=rf"t\.csv: .*{message}"):
        determine_references(str(tmp_path / "t.csv"), Composition.of(StructureSet.from_ase([bulk("Cu")])), np.zeros(1))


def test_from_json__refuses_deep_lists_and_numbers_without_end():
    with pytest.raises(DataError, match="is not JSON"):
        References.from_json("[" * 10**5)
    with pytest.raises(DataError, match="must be a number of eV"):
        References.from_json('{"Cu": ' + "9" * 400 + "}")
