from dataclasses import replace
from pathlib import Path

import pytest

from acefit.config.stages import data_files
from acefit.data.readers import LeftOut
from acefit.data.survey import Survey
from acefit.errors import ConfigError
from acefit.pipeline.configuration import load_configuration
from acefit.pipeline.proposal import SHAPES, parse_elements, parse_references, propose, render, write_configuration

SURVEY = Survey(
    elements=("Si",),
    isolated=("Si",),
    n_structures=239,
    n_atoms=14758,
    n_periodic=238,
    n_energies=239,
    n_corrected=0,
    n_forces=239,
    n_stresses=238,
    n_weights=0,
    spread=5.0,
    groups=("bulk", "surface"),
    shortest=1.6,
    typical=2.35,
    left_out=(),
)


def test_propose__is_the_recommended_configuration_for_such_data():
    choices = propose(SURVEY)
    assert choices.functions == 700
    assert choices.cutoff == 5.5
    assert choices.kappa == 0.005
    assert (choices.reference_energy, choices.weighting, choices.test_size) == ("isolated", "energy", 0.1)


def test_propose__fewer_functions_for_fewer_data():
    few = replace(SURVEY, n_structures=319, n_atoms=1869)
    assert propose(few).functions == 130
    assert propose(few).kappa == 0.05
    assert propose(replace(few, elements=("Al", "Ni"))).functions == 60
    assert propose(replace(few, n_atoms=5, n_structures=5)).functions == 20
    assert propose(replace(few, n_atoms=5, n_structures=5)).test_size == 0


def test_propose__references_from_what_there_is():
    assert propose(replace(SURVEY, isolated=())).reference_energy == "auto"
    assert propose(replace(SURVEY, n_energies=0, n_corrected=239)).reference_energy is None


def test_propose__molecules():
    choices = propose(replace(SURVEY, n_periodic=0, typical=1.0))
    assert (choices.cutoff, choices.radial, choices.kappa) == (4.0, "ChebExpCos", 0.9)


def test_propose__cutoffs_have_bounds():
    found = [propose(replace(SURVEY, typical=typical)).cutoff for typical in (1.0, 1.9, 2.35, 4.0)]
    assert found == [4.5, 4.5, 5.5, 7.0]


def test_render__four_steps_of_the_ladder():
    survey = replace(SURVEY, elements=("Al", "Ni"))
    text = render(replace(propose(survey), functions=45), survey, ["data.xyz"], "run", {})
    assert "ladder_step: [23] " in text
    assert "ladder_mode: total" in text


def test_propose__unknown_distances_and_flat_energies():
    choices = propose(replace(SURVEY, typical=float("nan"), spread=0.0))
    assert (choices.cutoff, choices.weighting) == (6.0, "uniform")
    assert [propose(replace(SURVEY, spread=spread)).weighting for spread in (1.0, 1.01)] == ["uniform", "energy"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", "auto"),
        ("isolated", "isolated"),
        ("none", None),
        ("table.csv", "table.csv"),
        ("Al:-0.1 Ni:-0.2", {"Al": -0.1, "Ni": -0.2}),
        ("Al=-0.1,Ni=2", {"Al": -0.1, "Ni": 2.0}),
    ],
)
def test_parse_references__takes_words(text, expected):
    assert parse_references(text) == expected


@pytest.mark.parametrize("text", ["", "free", "Al", "Al:x", "Xx:1", "Al:1 Ni"])
def test_parse_references__refuses_others(text):
    with pytest.raises(ConfigError, match="not understood"):
        parse_references(text)


def test_parse_elements__in_order():
    assert parse_elements("Ni, Al Ni") == ("Al", "Ni")
    for text in ("Xx", ""):
        with pytest.raises(ConfigError, match="chemical symbol"):
            parse_elements(text)


@pytest.mark.parametrize(
    "elements", [("Si",), ("Al", "Ni"), ("Al", "Cu", "Ni"), ("N", "No", "O", "Si"), ("C", "H", "N", "O", "S")]
)
@pytest.mark.parametrize("reference_energy", ["isolated", "auto", None, {"Si": -0.5}])
def test_write_configuration__is_accepted(tmp_path, elements, reference_energy):
    survey = replace(SURVEY, elements=elements, left_out=(LeftOut("a", 0, "a", "bad"),))
    choices = replace(propose(survey), reference_energy=reference_energy, functions=40)
    data = [tmp_path / "a, b: c #1.xyz", tmp_path / "d.xyz"]
    for path in data:
        path.touch()
    target = tmp_path / "runs" / "input.yaml"
    write_configuration(choices, survey, data, target, "first", {"energy_key": "no"})
    config = load_configuration(target).configs["first"]
    assert config.basis.elements == list(elements)
    assert config.data.reference_energy == reference_energy
    assert config.data.energy_key == "no"
    assert config.data.on_bad_structure == "leave_out"
    assert [Path(file["path"]).resolve() for file in data_files(config)] == [path.resolve() for path in data]


@pytest.mark.parametrize("n_elements", [1, 2, 3, 4, 5])
def test_render__shapes_for_every_number_of_elements(n_elements):
    survey = replace(SURVEY, elements=("Al", "Cu", "Mg", "Ni", "Zn")[:n_elements])
    text = render(propose(survey), survey, ["data.xyz"], "run", {})
    assert sum(f"    {key}: {{nradmax" in text for key in SHAPES) == (1 if n_elements == 1 else min(n_elements, 4))


@pytest.mark.parametrize("test_size", [0.12345678, 1234567.0])
def test_write_configuration__numbers_have_all_digits(tmp_path, test_size):
    choices = replace(propose(SURVEY), test_size=test_size, cutoff=5.1234567, kappa=0.0123456789)
    write_configuration(choices, SURVEY, [tmp_path / "a.xyz"], tmp_path / "input.yaml", "first")
    config = load_configuration(tmp_path / "input.yaml").configs["first"]
    assert (config.data.test_size, config.basis.bonds["ALL"].rcut) == (test_size, 5.1234567)
    assert config.fit.loss.kappa == 0.0123456789


def test_write_configuration__refuses_before_it_writes(tmp_path):
    target = tmp_path / "input.yaml"
    with pytest.raises(ConfigError, match="name"):
        write_configuration(propose(SURVEY), SURVEY, [tmp_path / "a.xyz"], target, "a b", {})
    assert not target.exists()
