import logging
from dataclasses import replace

import pytest

from acefit.errors import PotentialError
from acefit.potential.bbasis import read_potential, write_configuration, write_potential
from acefit.potential.conversion import convert_potential
from acefit.potential.model import Function
from acefit.potential.yace_read import read_yace
from bases import TWO_ELEMENTS
from models import random_potential

REFERENCES = '{"Al": -1.0, "shift": 0.5}'


@pytest.fixture
def source(tmp_path):
    write_potential(random_potential(1).with_metadata(reference_energy=REFERENCES), tmp_path / "a.yaml")
    return tmp_path / "a.yaml"


def test_convert_potential__there_and_back(source, tmp_path):
    convert_potential(source, tmp_path / "a.yace")
    convert_potential(tmp_path / "a.yace", tmp_path / "b.yaml")
    first, again = read_potential(source), read_potential(tmp_path / "b.yaml")
    assert again.metadata == first.metadata
    assert again.e0 == {}
    assert again.n_functions == first.n_functions


@pytest.mark.parametrize(("e0", "expected"), [("references", -1.5), ("Al=2", 2.0), ("zero", 0.0), (None, 0.0)])
def test_convert_potential__fills_e0(source, tmp_path, e0, expected):
    written = convert_potential(source, tmp_path / "a.yace", e0)
    assert written.e0.get("Al", 0.0) == read_yace(tmp_path / "a.yace").e0.get("Al", 0.0) == expected


def test_convert_potential__keeps_and_clears_e0_of_the_source(source, tmp_path, caplog):
    convert_potential(source, tmp_path / "a.yace", "Al=2")
    with caplog.at_level(logging.WARNING):
        assert convert_potential(tmp_path / "a.yace", tmp_path / "b.yaml").e0 == {"Al": 2.0}
    assert "E0 stands in its auxdata" in caplog.text
    assert convert_potential(tmp_path / "b.yaml", tmp_path / "c.yaml", "zero").e0 == {}
    assert read_potential(tmp_path / "c.yaml").e0 == {}


def test_convert_potential__makes_old_variants_modern(tmp_path):
    old = TWO_ELEMENTS.read_text().replace("c: [0.35]", "c: 0.35").replace("    rho_core_cut: 7\n", "")
    (tmp_path / "old.yaml").write_text(old)
    convert_potential(tmp_path / "old.yaml", tmp_path / "new.yaml")
    text = (tmp_path / "new.yaml").read_text()
    assert "c: [0.34999999999999998]" in text
    assert "rho_core_cut: 100000" in text


def test_convert_potential__says_what_the_format_cannot_hold(tmp_path, caplog):
    potential = random_potential(1)
    block = potential.blocks[0]
    ignored = Function(("Al", "Al"), (1,), (0,), (), (7.0, 7.0), skip=True)
    with_both = replace(
        potential, blocks=(replace(block, functions=(*block.functions, ignored)),), auxdata={"_int": {"number": 3}}
    )
    write_configuration(with_both, tmp_path / "a.yaml")
    with caplog.at_level(logging.WARNING):
        convert_potential(tmp_path / "a.yaml", tmp_path / "a.yace")
    assert "1 functions that are marked `skip` are not written" in caplog.text
    assert "auxdata are not written" in caplog.text


def test_convert_potential__writes_a_lammps_input_that_names_the_file(source, tmp_path):
    convert_potential(source, tmp_path / "a.yace", None, tmp_path / "in.pace")
    assert "pair_coeff      * * a.yace Al" in (tmp_path / "in.pace").read_text()


def test_convert_potential__refuses(source, tmp_path):
    with pytest.raises(PotentialError, match=r"LAMMPS reads a \.yace file"):
        convert_potential(source, tmp_path / "b.yaml", None, tmp_path / "in.pace")
    with pytest.raises(PotentialError, match=r"b\.json: a potential file ends in"):
        convert_potential(source, tmp_path / "b.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml"]
