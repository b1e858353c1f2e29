import numpy as np
import pandas as pd
import pytest

from acefit.analysis.cycles import summarize_cycles, tabulate_cycles, tabulate_timing


def make_metrics():
    losses = {0: [3.0, 1.0, 2.0], 1: [2.0, 0.5]}
    points = [
        (cycle, k, loss, subset) for cycle in losses for k, loss in enumerate(losses[cycle]) for subset in ("train", "test")
    ]
    table = pd.DataFrame(points, columns=["cycle_step", "iter_num", "loss", "subset"])
    evaluations = 2 * table["iter_num"] + 1
    return table.assign(
        ladder_step=0,
        rmse_epa=0.01 * table["loss"],
        rmse_f_comp=0.1 * table["loss"],
        nfuncs=7,
        ncoefs=20,
        evaluations=evaluations,
        time=1.0 + table["iter_num"],
        evaluation_time=0.5 * evaluations,
    )


def test_summarize_cycles__takes_the_lowest_training_loss_and_the_last_test_row():
    cycles = summarize_cycles(make_metrics(), n_train_atoms=10, selected={0: 1})
    assert list(zip(cycles["cycle_step"], cycles["subset"], strict=True)) == [
        (0, "train"),
        (0, "test"),
        (1, "train"),
        (1, "test"),
    ]
    assert list(cycles["loss"]) == [1.0, 2.0, 0.5, 0.5]
    assert list(cycles["is_selected"]) == [False, False, True, True]
    assert np.allclose(cycles["microseconds_per_atom"], 0.5e6 / 10)
    assert list(cycles["n_evaluations"]) == [5, 5, 3, 3]


def test_summarize_cycles__of_nothing_is_empty():
    assert summarize_cycles(pd.DataFrame(), 10, {}).empty
    assert tabulate_cycles(pd.DataFrame(), {}).empty


def test_tabulate_cycles__has_one_row_per_cycle_with_its_reason():
    table = tabulate_cycles(summarize_cycles(make_metrics(), 10, {0: 1}), {(0, 1): "converged"})
    assert list(table["selected"]) == ["", "yes"]
    assert list(table["stopped"]) == ["", "converged"]
    assert table.loc[1, "train_rmse_epa"] == pytest.approx(5.0)
    assert table.loc[0, "test_rmse_f_comp"] == pytest.approx(0.2)


def test_tabulate_timing__is_in_the_order_of_the_pipeline():
    measured = pd.DataFrame({"s": [2.0, 4.0], "max_rss": [100.0, 300.0], "cpu_time": [1.0, 1.0]})
    short = pd.DataFrame({"s": [0.1], "max_rss": [np.nan]})
    table = tabulate_timing([("fit/step-00", measured), ("other", short), ("dataset", short)])
    assert list(table["stage"]) == ["dataset", "fit", "other"]
    assert list(table["job"]) == ["dataset", "step-00", "other"]
    assert list(table["seconds"]) == [0.1, 3.0, 0.1]
    assert np.isnan(table.loc[0, "memory_mb"])
