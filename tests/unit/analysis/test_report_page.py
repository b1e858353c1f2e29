import pandas as pd

from acefit.analysis.catalog import TABLES
from acefit.analysis.errors import tabulate_excluded, tabulate_overall
from acefit.analysis.figure_set import RunData
from acefit.analysis.report_page import Background, format_report
from acefit.potential.model import Potential

PNG = b"\x89PNG" + bytes(40)


def make_page(predictions, walls=(), **tables):
    run = RunData("demo", Potential(("Si",), {}, {}, ()), predictions, pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    given = dict.fromkeys(TABLES, pd.DataFrame()) | {"errors": tabulate_overall(predictions), **tables}
    absent = {"test-e-de-nn": "no test set", "test-f-df-dist": "no test set"}
    return format_report(run, given, {"weights": PNG}, absent, Background(["bad.xyz, structure 1"], [], {"acefit": "1.0"}, walls))


def test_page__shows_errors_figures_and_provenance(predictions):
    text = make_page(predictions)
    assert "acefit report: demo" in text
    assert "2.739" in text  # training RMSE of the energies, meV/atom
    assert 'id="figure-weights"' in text
    assert "<dt>acefit</dt><dd>1.0</dd>" in text


def test_page__groups_absent_figures_by_reason(predictions):
    assert "<li>no test set: test-e-de-nn, test-f-df-dist</li>" in make_page(predictions)


def test_page__lists_what_was_left_out_with_reasons(predictions):
    text = make_page(predictions, excluded=tabulate_excluded(predictions))
    assert "bad.xyz, structure 1" in text
    assert "1 structures excluded from the fit: energy too high" in text


def test_page__tables_name_their_files(predictions):
    assert "File: tables/errors.csv" in make_page(predictions)


def test_page__warns_of_pairs_that_do_not_keep_apart(predictions):
    text = make_page(predictions, walls=[("Al-Al: it falls", False), ("Al-Ni: it rises", True)])
    assert '<p class="warning"><strong>Warning:</strong> Al-Al: it falls</p>' in text
    assert "<li>Al-Ni: it rises</li>" in text
    assert "Short distances" in text
    assert "Short distances" not in make_page(predictions)
