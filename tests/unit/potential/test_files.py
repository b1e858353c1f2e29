import logging

import pytest

from acefit.errors import PotentialError
from acefit.potential.bbasis import format_potential
from acefit.potential.files import SUFFIXES, read_any, write_any
from models import random_potential


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".YACE"])
def test_read_any__reads_what_write_any_wrote(tmp_path, suffix):
    potential = random_potential(1)
    write_any(potential, tmp_path / f"a{suffix}", {"step": "test"})
    again = read_any(tmp_path / f"a{suffix}")
    assert again.n_functions == potential.n_functions
    assert again.bonds["Al", "Al"].rcut == potential.bonds["Al", "Al"].rcut


def test_read_any__takes_another_suffix_for_a_b_basis_file(tmp_path):
    (tmp_path / "a.txt").write_text(format_potential(random_potential(1)))
    assert read_any(tmp_path / "a.txt").elements == ("Al",)


@pytest.mark.parametrize("suffix", [".yaml", ".yace"])
def test_read_any__logs_doubts_unless_it_is_told_not_to(tmp_path, caplog, suffix):
    write_any(random_potential(1, radbases=("ChebLinear",)), tmp_path / f"a{suffix}")
    with caplog.at_level(logging.WARNING):
        read_any(tmp_path / f"a{suffix}", doubts=False)
        assert not caplog.text
        read_any(tmp_path / f"a{suffix}")
    assert "ChebLinear" in caplog.text


def test_read_any__a_file_of_the_other_kind_is_an_error(tmp_path):
    potential = random_potential(1)
    write_any(potential, tmp_path / "a.yaml")
    (tmp_path / "a.yaml").rename(tmp_path / "a.yace")
    with pytest.raises(PotentialError, match="not a C-tilde potential"):
        read_any(tmp_path / "a.yace")


def test_write_any__needs_a_known_suffix(tmp_path):
    with pytest.raises(PotentialError, match=r"ends in \.yaml"):
        write_any(random_potential(1), tmp_path / "a.json")
