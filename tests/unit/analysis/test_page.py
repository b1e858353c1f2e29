import numpy as np
import pandas as pd
import pytest

from acefit.analysis import page


def test_format_page__escapes_text_and_leaves_out_empty_sections():
    text = page.format_page("a < b", "lead & more", [page.Section("One", "<p>x</p>"), page.Section("Two", "")])
    assert "<h1>a &lt; b</h1>" in text
    assert "lead &amp; more" in text
    assert "One" in text
    assert "Two" not in text


def test_format_page__needs_nothing_from_outside():
    text = page.format_page("t", "l", [page.Section("One", page.format_figure(b"\x89PNG" + bytes(40), "x", "c"))])
    assert "http" not in text
    assert "<script" not in text
    assert 'src="data:image/png;base64,' in text


def test_format_table__has_labels_units_and_rounded_numbers():
    table = pd.DataFrame(
        {
            "name": ["<x>"],
            "rmse_epa": [1.23456],
            "n_atoms": [1234567],
            "mae": [2.2],
            "max": [105.0],
            "no": [0.0],
            "loss": [1.5e-7],
            "gap": [np.nan],
        }
    )
    text = page.format_table(table, {"rmse_epa": "energy RMSE"}, {"rmse_epa": "meV/atom"}, "caption")
    assert "energy RMSE<small>meV/atom</small>" in text
    for cell in ("&lt;x&gt;", "1.235", "1234567", "1.500e-07", ">-<", ">2.200<", ">105.0<", ">0<"):
        assert cell in text


@pytest.mark.parametrize(("n_rows", "is_scrolled"), [(16, False), (page.MAX_ROWS + 1, True)])
def test_format_table__only_long_tables_are_scrolled(n_rows, is_scrolled):
    text = page.format_table(pd.DataFrame({"cycle": range(n_rows)}), {}, {})
    assert ('class="wide scrolled"' in text) == is_scrolled


def test_format_table__of_nothing_is_nothing():
    assert page.format_table(pd.DataFrame({"a": []}), {}, {}) == ""


def test_format_links__escapes_texts_and_addresses():
    text = page.format_links({"a<b": "../a&b/summary.html"})
    assert '<a href="../a&amp;b/summary.html">a&lt;b</a>' in text


def test_format_list_and_facts__of_nothing_are_nothing():
    assert page.format_links({}) == ""
    assert page.format_list([]) == ""
    assert page.format_facts({}) == ""


def test_format_warning__escapes_and_marks_its_text():
    assert page.format_warning("a < b") == '<p class="warning"><strong>Warning:</strong> a &lt; b</p>\n'
