"""What a running fit says."""

import logging

import pytest

from acefit.fit.metrics import ERROR_METRICS, LOSS_METRICS
from acefit.fit.progress import Progress, format_duration, format_line, format_table


def row(iteration=4, seconds=1.0, **changes):
    numbers = dict.fromkeys((*LOSS_METRICS, *ERROR_METRICS), 0.0)
    own = {
        "loss": 0.29545,
        "e_loss_contrib": 0.14772,
        "rmse_epa": 0.37987,
        "low_rmse_epa": 0.20143,
        "rmse_f_comp": 0.28708,
        "low_rmse_f_comp": 0.2671,
    }
    return {**numbers, **own, "iter_num": iteration, "evaluations": 6, "time": seconds, "nfuncs": 30, "ncoefs": 90, **changes}


def test_format_line__has_the_shape_of_the_reference():
    assert format_line("Iteration", row(), 1.08147e-3) == (
        "Iteration   #4    (6 evals):     Loss: 2.9545e-01 | RMSE Energy(low): 379.87 (201.43) meV/at | "
        "Forces(low): 287.08 (267.10) meV/A | Time/eval: 1081.47 mcs/at"
    )


def test_format_table__is_a_box_with_shares():
    lines = format_table("FIT STATS", row(l1_reg_contrib=0.1), 1e-4).split("\n")
    assert {len(line) for line in lines} == {79}
    assert "FIT STATS" in lines[0]
    assert any("Energy" in line and "50.00 %" in line for line in lines)
    assert any("L1" in line for line in lines)
    assert not any("L2" in line for line in lines)


def test_format_table__bears_a_loss_of_zero():
    assert "0.00 %" in format_table("FIT STATS", row(loss=0.0), 1e-4)


def test_progress__terminal_hears_at_most_two_lines_per_second(caplog):
    progress = Progress(n_atoms=10, maxiter=100)
    with caplog.at_level(logging.INFO):
        for k in range(5):
            progress.report("Iteration", row(k, float(k)), 1e-3)
        progress.report_table("FIT STATS", row(), 1e-3)
    assert [record.file_only for record in caplog.records] == [False, True, True, True, True, True]
    assert "Left: < 97 s" not in caplog.records[0].message
    assert caplog.records[3].message.endswith("| Left: < 2 min")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1, "1 s"), (89.2, "90 s"), (90, "2 min"), (5000, "84 min"), (12000, "3 h 20 min"), (187200, "2 d 4 h")],
)
def test_format_duration__uses_few_units(seconds, text):
    assert format_duration(seconds) == text
