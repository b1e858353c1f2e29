import numpy as np
import pandas as pd
import pytest

from acefit.analysis.comparison import find_pareto_optimal, judged_subset, measure_errors, tabulate_runs


def brute_force(costs, errors):
    """Written as the definition says it."""
    n = len(costs)
    return [
        not any(
            costs[j] <= costs[i] and errors[j] <= errors[i] and (costs[j] < costs[i] or errors[j] < errors[i]) for j in range(n)
        )
        for i in range(n)
    ]


@pytest.mark.parametrize(
    ("costs", "errors", "expected"),
    [
        ([1, 2, 3], [3, 2, 1], [True, True, True]),
        ([1, 2, 3], [1, 2, 3], [True, False, False]),
        ([1, 1, 2], [5, 4, 4], [False, True, False]),
        ([1, 1], [2, 2], [True, True]),
        ([1, np.nan, 2], [2, 0, np.nan], [True, False, False]),
        ([7], [7], [True]),
    ],
    ids=["front", "dominated", "ties", "equal", "unknown", "alone"],
)
def test_find_pareto_optimal__hand_made(costs, errors, expected):
    assert find_pareto_optimal(costs, errors).tolist() == expected


def test_find_pareto_optimal__is_the_definition():
    rng = np.random.default_rng(3)
    for n in (2, 5, 40):
        costs, errors = rng.integers(0, 8, n), rng.integers(0, 8, n)
        assert find_pareto_optimal(costs, errors).tolist() == brute_force(costs, errors)


def test_measure_errors__are_those_of_the_report(make_predictions):
    errors = measure_errors(make_predictions())
    # energies are off by 1, 2, 3, 4 meV/atom in training and by 5, 6 in the test set; forces by 0.1 eV/Å along x
    assert errors["rmse_epa_train"] == pytest.approx(np.sqrt(30 / 4))
    assert errors["rmse_epa_test"] == pytest.approx(np.sqrt(61 / 2))
    assert errors["rmse_f_comp_test"] == pytest.approx(0.1 / np.sqrt(3))


def test_measure_errors__are_nan_without_a_test_set(make_predictions):
    errors = measure_errors(make_predictions(subsets=["train"] * 7))
    assert np.isnan(errors["rmse_epa_test"])
    assert np.isfinite(errors["rmse_epa_train"])


def row(run, microseconds, functions, test_error, train_error=1.0):
    errors = {f"{name}_test": test_error for name in ("rmse_epa", "rmse_f_comp")}
    errors |= {f"{name}_train": train_error for name in ("rmse_epa", "rmse_f_comp")}
    return {"run": run, "microseconds_per_atom": microseconds, "n_functions": functions, **errors}


def test_tabulate_runs__sorts_by_cost_and_marks_each_front():
    table = tabulate_runs([row("slow", 9.0, 10, 2.0), row("quick", 1.0, 20, 5.0), row("bad", 2.0, 30, 6.0)])
    assert list(table["run"]) == ["quick", "bad", "slow"]
    assert list(table["optimal_energy_time"]) == [True, False, True]
    assert list(table["optimal_force_functions"]) == [False, False, True]
    assert set(table["subset"]) == {"test"}


def test_tabulate_runs__judges_by_the_training_set_if_one_run_has_no_test_set():
    table = tabulate_runs([row("a", 1.0, 10, np.nan, 3.0), row("b", 2.0, 20, 1.0, 4.0)])
    assert set(table["subset"]) == {"train"}
    assert list(table["optimal_energy_time"]) == [True, False]


def test_judged_subset__is_the_test_set_where_every_run_has_errors_of_it():
    table = pd.DataFrame([row("a", 1.0, 10, 2.0)])
    assert judged_subset(table) == judged_subset(table.assign(rmse_f_comp_test=np.nan)) == "test"
    assert judged_subset(table.assign(rmse_f_comp_test=np.nan, rmse_epa_test=np.nan)) == "train"
