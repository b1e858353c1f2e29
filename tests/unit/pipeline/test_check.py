import logging
from pathlib import Path

import pytest
import yaml
from ase import Atoms
from ase.io import read, write

from acefit.pipeline.check import MOST_STRUCTURES, as_mapping, check_runs
from acefit.pipeline.configuration import load_configuration
from silicon_oracle import write_silicon
from workflow_runs import write_config, write_dataset


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_dataset(tmp_path / "copper.xyz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(folder, changes=None, **options):
    return check_runs(load_configuration(write_config(folder, changes)), threads=2, **options)


def test_check_runs__says_what_will_be_done_and_leaves_nothing(folder):
    said = []
    before = sorted(Path().rglob("*"))
    report = check(folder, say=said.append)
    assert report.problems == []
    assert report.runs["tiny"].stages["fit"] == 4
    assert report.runs["tiny"].stages["neighborlists"] == 2
    assert said == ["tiny: data", "tiny: weights", "tiny: basis", "tiny: sizes"]
    assert sorted({*Path().rglob("*")} - {folder / "tiny.yaml", Path("tiny.yaml")}) == before
    plain = as_mapping(report)["runs"]["tiny"]
    assert plain["fits"] == 4
    assert plain["estimated_seconds"]["total"] > 0
    assert plain["subsets"]["train"]["n_structures"] == 12


def test_check_runs__all_runs_share_what_is_equal(folder):
    said = []
    report = check(folder, {"sweep": {"fit.maxiter": [3, 30]}}, say=said.append)
    assert [text.partition(": ")[2] for text in said].count("data") == 1
    times = [run.time.total for run in report.runs.values()]
    assert times[0] < times[1]


def test_check_runs__names_missing_files_and_callbacks_at_once(folder):
    report = check(folder, {"data": {"filename": "coper.xyz"}, "fit": {"callbacks": ["mine.stop"]}})
    assert report.runs == {}
    assert "did you mean 'copper.xyz'" in report.problems[0]
    assert "'mine.stop' cannot be imported" in report.problems[1]


def test_check_runs__names_every_bad_structure(folder):
    frames = read("copper.xyz", ":")
    for number in (2, 5):
        frames[number].positions[0] = frames[number].positions[1]
    write("copper.xyz", frames, format="extxyz")
    report = check(folder)
    assert "structure 2" in report.problems[0]
    assert "structure 5" in report.problems[1]
    assert "on_bad_structure: leave_out" in report.problems[2]
    # they are not said to be left out
    assert not any("structure 5" in text for text in report.warnings)
    report = check(folder, {"data": {"on_bad_structure": "leave_out"}})
    assert report.problems == []
    assert any("structure 5" in text for text in report.warnings)


def test_check_runs__bad_structures_hinder_all_runs_with_these_data(folder):
    frames = read("copper.xyz", ":")
    frames[2].positions[0] = frames[2].positions[1]
    write("copper.xyz", frames, format="extxyz")
    report = check(folder, {"sweep": {"fit.maxiter": [3, 30]}})
    assert len(report.problems) == 2
    assert report.runs == {}


def test_check_runs__bad_structures_do_not_hide_what_else_is_wrong_with_the_data(folder):
    frames = read("copper.xyz", ":")
    frames[2].positions[0] = frames[2].positions[1]
    write("copper.xyz", frames, format="extxyz")
    report = check(folder, {"data": {"reference_energy": None}})
    text = "\n".join(report.problems)
    assert "structure 2" in text
    assert "data.reference_energy is not given" in text


def test_check_runs__counts_bad_structures_beyond_some(folder):
    (atoms,) = read("copper.xyz", ":1")
    bad = Atoms("Cu2", [[0, 0, 0], [0, 0, 0.1]], info={"energy": 1.0})
    write("copper.xyz", [atoms, *[bad] * (MOST_STRUCTURES + 2)], format="extxyz")
    report = check(folder)
    assert len(report.problems) == MOST_STRUCTURES + 1
    assert report.problems[-1].startswith("2 more structures cannot be used; ")


def test_check_runs__data_without_any_usable_structure_are_explained(folder):
    report = check(folder, {"potential": {"elements": ["Ni"]}})
    assert len(report.problems) == 2
    assert "no structure that can be used remains" in report.problems[0]
    assert "Cu: not among the elements of the potential (and 14 more)" in report.problems[1]


def test_check_runs__logging_is_as_before(folder, caplog):
    logger = logging.getLogger("acefit")
    before = (list(logger.handlers), True)
    logger.propagate = True
    check(folder)
    assert (list(logger.handlers), logger.propagate) == before


def test_check_runs__measures_if_asked(folder):
    report = check(folder, measure=True)
    assert report.runs["tiny"].time.total > 0


def test_check_runs__of_active_learning_only_the_first_round(tmp_path, monkeypatch):
    write_silicon(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path, {"active": {"label": {"jobs": 3}}}, "active.yaml", "silicon.yaml")
    report = check_runs(load_configuration(config), threads=2)
    assert report.problems == []
    assert list(report.runs) == ["silicon/round-00"]
    stages = report.runs["silicon/round-00"].stages
    expected = {"activeset": 1, "explore": 2, "choose": 1, "calculate": 3, "label": 1}
    assert {name: stages.get(name) for name in expected} == expected
    assert "3 more rounds follow, with the data that will be labelled" in report.warnings


def test_check_runs__calculator_and_start_of_the_exploration(tmp_path, monkeypatch):
    write_silicon(tmp_path)
    monkeypatch.chdir(tmp_path)
    changes = {"active": {"label": {"calculator": "oracle.absent"}, "explore": {"structures": "begin.xyz"}}}
    problems = check_runs(load_configuration(write_config(tmp_path, changes, "active.yaml", "silicon.yaml")), threads=2).problems
    assert len(problems) == 2
    assert "begin.xyz" in problems[0]
    assert "oracle.absent" in problems[1]


def test_check_runs__bad_structures_that_stop_a_run_are_told_once(folder):
    frames = read("copper.xyz", ":")
    frames[2].positions[0] = frames[2].positions[1]
    write("copper.xyz", frames, format="extxyz")
    assert not [text for text in check(folder).warnings if "left out" in text]
    leave = check(folder, {"data": {"filename": "copper.xyz", "on_bad_structure": "leave_out"}})
    assert len([text for text in leave.warnings if "left out" in text]) == 1


def test_check_runs__warns_of_elements_without_atoms_and_of_too_many_parameters(folder):
    assert not [text for text in check(folder).warnings if "nothing determines" in text or "take fewer" in text]
    potential = yaml.safe_load((folder / "tiny.yaml").read_text())["potential"]
    report = check(folder, {"potential": {**potential, "elements": ["Cu", "Ni"]}})
    assert "no atom of the data is Ni: nothing determines what belongs to it" in report.warnings
    one = {"data": {"filename": "copper.xyz", "test_size": None}}
    write("copper.xyz", read("copper.xyz", ":")[:1], format="extxyz")
    report = check(folder, one)
    assert [text for text in report.warnings if "energies and force components: take fewer functions" in text]
