import numpy as np
import pytest

from acefit.analysis.errors import tabulate_elements, tabulate_excluded, tabulate_groups, tabulate_overall, tabulate_worst


def row(table, **values):
    for key, value in values.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_overall__has_hand_computed_errors(predictions):
    table = tabulate_overall(predictions)
    train = row(table, subset="train", structures="all")
    assert (train["n_structures"], train["n_atoms"]) == (4, 8)
    assert train["rmse_epa"] == pytest.approx(np.sqrt((1 + 4 + 9 + 16) / 4))  # meV/atom
    assert train["mae_epa"] == pytest.approx(2.5)
    assert train["max_abs_epa"] == pytest.approx(4.0)
    assert train["rmse_f"] == pytest.approx(0.1)
    assert train["rmse_f_comp"] == pytest.approx(0.1 / np.sqrt(3))
    assert train["mae_f_comp"] == pytest.approx(0.1 / 3)
    assert train["rmse_stress"] == pytest.approx(1.602176634 / np.sqrt(6))  # GPa
    assert train["max_abs_stress"] == pytest.approx(1.602176634)


def test_overall__low_energy_rows_cover_marked_structures(predictions):
    low = row(tabulate_overall(predictions), subset="train", structures="low energy")
    assert (low["n_structures"], low["n_atoms"]) == (2, 3)
    assert low["mae_epa"] == pytest.approx(1.5)


def test_overall__excluded_structures_are_kept_apart(predictions):
    excluded = row(tabulate_overall(predictions), subset="excluded")
    assert excluded["n_structures"] == 1
    assert excluded["mae_epa"] == pytest.approx(7.0)


def test_groups__structures_without_group_are_named(predictions):
    table = tabulate_groups(predictions)
    assert set(table["group"]) == {"a", "(none)"}
    assert table["n_structures"].sum() == 7
    assert row(table, group="a", subset="train")["mae_epa"] == pytest.approx(3.0)


def test_elements__counts_and_errors(predictions):
    table = tabulate_elements(predictions)
    assert table["n_atoms"].sum() == 13
    assert np.allclose(table["rmse_f"], 0.1)


def test_worst__is_sorted_and_leaves_out_excluded(predictions):
    table = tabulate_worst(predictions, n=3)
    assert list(table["structure"])[:3] == [5, 4, 3]
    assert "excluded" not in set(table["subset"])


def test_excluded__gives_reasons(predictions):
    assert list(tabulate_excluded(predictions)["reason"]) == ["energy too high"]
