import json

import pandas as pd
import pytest

from acefit.artifacts import read_frame
from acefit.errors import ArtifactError
from acefit.files import write_yaml
from acefit.steps.compare import compare
from pipeline_files import write_predictions

RUNS = {"small": (10, 5.0, 0.004), "large": (30, 20.0, 0.002), "bad": (20, 25.0, 0.003)}
"""Name -> functions, time per atom, energy error in eV."""

CHANGES = {"small": {"fit.maxiter": 5}, "large": {"fit.maxiter": 9, "fit.loss": {"kappa": 0.1}}, "bad": {}}


@pytest.fixture
def inputs(tmp_path):
    """Three runs: one cheap, one accurate, one neither by time."""
    for run, (n_functions, microseconds, error) in RUNS.items():
        write_predictions(tmp_path / run, ["train"] * 4 + ["test"] * 2, error)
        cost = {"n_functions": n_functions, "microseconds_per_atom": microseconds, "neighbors_per_atom": 12.0}
        write_yaml({**cost, "processor": "here"}, tmp_path / run / "cost.yaml")
    return {
        "name": "demo",
        "changes": CHANGES,
        "labels": {run: run for run in RUNS},
        "paths_to_structures": [tmp_path / run / "structures.parquet" for run in RUNS],
        "paths_to_atoms": [tmp_path / run / "atoms.parquet" for run in RUNS],
        "paths_to_costs": [tmp_path / run / "cost.yaml" for run in RUNS],
        "path_to_table": tmp_path / "runs.parquet",
        "path_to_csv": tmp_path / "runs.csv",
        "path_to_figure": tmp_path / "pareto.png",
        "path_to_page": tmp_path / "summary.html",
    }


def test_compare__tabulates_errors_and_cost_of_every_run(inputs):
    compare(**inputs)
    table = read_frame(inputs["path_to_table"], "runs").set_index("run")
    assert list(table.index) == ["small", "large", "bad"]
    for run, (n_functions, microseconds, error) in RUNS.items():
        assert table.at[run, "n_functions"] == n_functions
        assert table.at[run, "microseconds_per_atom"] == microseconds
        assert table.at[run, "rmse_epa_test"] == pytest.approx(1000 * error)
        assert json.loads(table.at[run, "changes"]) == CHANGES[run]
    assert list(table["optimal_energy_time"]) == [True, True, False]
    assert list(table["optimal_energy_functions"]) == [True, True, True]
    # forces are equally wrong everywhere
    assert list(table["optimal_force_time"]) == [True, False, False]


def test_compare__csv_has_a_column_for_each_changed_key(inputs):
    compare(**inputs)
    table = pd.read_csv(inputs["path_to_csv"], keep_default_na=False)
    assert list(table.columns[:4]) == ["run", "fit.maxiter", "fit.loss", "n_functions"]
    assert list(table["fit.maxiter"]) == ["5", "9", ""]


def test_compare__page_shows_figure_table_and_reports(inputs):
    compare(**inputs)
    text = inputs["path_to_page"].read_text(encoding="utf-8")
    assert "data:image/png;base64" in text
    assert 'href="../large/report/summary.html"' in text
    assert "energy, force" in text
    assert "different processors" not in text


def test_compare__warns_of_times_that_cannot_be_compared(inputs):
    cost = {"n_functions": 1, "microseconds_per_atom": 1.0, "neighbors_per_atom": 12.0, "processor": "elsewhere"}
    write_yaml(cost, inputs["paths_to_costs"][0])
    compare(**inputs)
    assert "different processors (elsewhere, here)" in inputs["path_to_page"].read_text(encoding="utf-8")


def test_compare__needs_the_predictions(inputs):
    inputs["paths_to_structures"][1].unlink()
    with pytest.raises(ArtifactError, match=r"large/structures\.parquet"):
        compare(**inputs)
