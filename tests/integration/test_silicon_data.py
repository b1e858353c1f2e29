"""The embedded data set: complete, small, and consistent with itself and with what is known about silicon."""

import csv
import importlib.util

import pytest

from conftest import ROOT

FOLDER = ROOT / "examples" / "silicon"
LARGEST_FILE = 2_000_000


@pytest.fixture(scope="module")
def check():
    spec = importlib.util.spec_from_file_location("check_silicon", FOLDER / "check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_silicon__passes_its_own_checks(check, capsys):
    structures = check.read_structures(FOLDER / "silicon.xyz.gz")
    assert check.check(structures) == [], capsys.readouterr().out
    assert 280 <= len(structures) <= 340
    assert max(len(atoms) for atoms in structures) == 16


def test_silicon__every_structure_is_there_or_listed_as_left_out(check):
    numbers = {atoms.info["number"] for atoms in check.read_structures(FOLDER / "silicon.xyz.gz")}
    with (FOLDER / "left_out.csv").open() as stream:
        left_out = {int(row["number"]) for row in csv.DictReader(stream)}
    assert numbers | left_out == set(range(len(numbers) + len(left_out)))


def test_silicon__is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < LARGEST_FILE
