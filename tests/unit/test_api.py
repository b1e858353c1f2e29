import subprocess
import sys

import pytest
from ase.io import read

import acefit
from acefit import api
from acefit.errors import ConfigError, DataError
from acefit.potential.bbasis import format_potential


def test_package__loads_nothing_by_itself():
    code = "import sys, acefit; print([m for m in sys.modules if m.partition('.')[0] in ('acefit', 'numpy', 'numba', 'ase')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "['acefit']"


def test_package__offers_all_names_of_the_interface():
    assert {*api.__all__, "ACECalculator", "ACEEnsemble", "__version__"} == set(acefit.__all__)
    for name in acefit.__all__:
        assert getattr(acefit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        acefit.nothing  # noqa: B018


def test_read_potential__and_write_potential_keep_every_digit(tiny_fit, tmp_path):
    acefit.write_potential(tiny_fit.result.potential, tmp_path / "x.yaml")
    again = acefit.read_potential(tmp_path / "x.yaml")
    assert format_potential(again) == format_potential(tiny_fit.result.potential)


def test_build_potential__from_a_mapping_or_a_file(tiny_fit):
    built = acefit.build_potential({"potential": tiny_fit.config["potential"]})
    assert built.n_functions == acefit.build_potential(tiny_fit.folder / "tiny.yaml").n_functions == 6
    with pytest.raises(ConfigError, match=r"potential\.elemets: unknown key"):
        acefit.build_potential({"potential": {**tiny_fit.config["potential"], "elemets": ["Cu"]}})


def test_fit_potential__is_the_fit_in_memory(tiny_fit):
    config = {**tiny_fit.config, "data": {**tiny_fit.config["data"], "filename": str(tiny_fit.folder / "copper.xyz")}}
    said = []
    assert acefit.fit_potential(config, say=said.append).loss == tiny_fit.result.loss
    assert said == tiny_fit.said


def test_metrics__of_a_fit_or_of_predictions(tiny_fit):
    found = acefit.evaluate(tiny_fit.result.potential, read(tiny_fit.folder / "copper.xyz", ":"))
    table = acefit.metrics(found)
    assert table.loc[0, "n_structures"] == 15
    assert set(acefit.metrics(tiny_fit.result, by="group")["group"]) == {"atom", "bulk"}
    with pytest.raises(DataError, match="give 'subset' or 'group'"):
        acefit.metrics(found, by="element")


def test_plot_parity__of_a_subset(tiny_fit):
    assert len(acefit.plot_parity(tiny_fit.result).axes) == 2
    found = acefit.evaluate(tiny_fit.result.potential, read(tiny_fit.folder / "copper.xyz", ":3"))
    with pytest.raises(DataError, match="no training set"):
        acefit.plot_parity(found, "train")
    with pytest.raises(DataError, match="'validation' is no subset"):
        acefit.plot_parity(found, "validation")


def test_plot_learning_curve__of_a_fit_or_of_metrics(tiny_fit):
    assert acefit.plot_learning_curve(tiny_fit.result).axes
    assert acefit.plot_learning_curve(tiny_fit.result.metrics).axes
