import numpy as np
import pandas as pd
import pytest

from acefit.analysis.catalog import FIGURES, TABLES, figure_file, table_file
from acefit.artifacts import write_table
from acefit.errors import ArtifactError
from acefit.files import write_text, write_yaml
from acefit.potential.bbasis import write_potential
from acefit.potential.model import Block, Bond, Embedding, Function, Potential
from acefit.steps.report import report
from pipeline_files import fill, write_predictions


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A run with one ladder step and one cycle, without test set and stresses."""
    tmp_path = tmp_path_factory.mktemp("run")
    write_predictions(tmp_path, ["train"] * 5 + ["excluded"])
    bond = Bond("ChebPow", (2.0,), 4.0, 0.01, np.ones((1, 1, 2)))
    function = Function(("Si", "Si"), (1,), (0,), (), (0.5,))
    embedding = Embedding("FinnisSinclairShiftedScaled", (1.0, 1.0))
    write_potential(
        Potential(("Si",), {"Si": embedding}, {("Si", "Si"): bond}, (Block(("Si",), (function,)),)), tmp_path / "potential.yaml"
    )
    metrics = fill("metrics", 3, subset=["train"] * 3, iter_num=np.arange(3), loss=np.array([3.0, 2.0, 1.0]))
    metrics |= {"evaluations": np.arange(1, 4), "evaluation_time": 0.1 * np.arange(1, 4), "rmse_epa": np.full(3, 0.01)}
    metrics |= {"e_loss_contrib": np.array([3.0, 2.0, 1.0]), "rmse_f_comp": np.full(3, 0.1), "nfuncs": np.full(3, 7)}
    write_table(metrics, tmp_path / "metrics.parquet", "metrics")
    write_table(fill("cycles", 1, selected=np.array([True])), tmp_path / "cycles.parquet", "cycles")
    write_yaml({"step": 0, "cycle": 0, "reason": "gradient below tolerance"}, tmp_path / "result.yaml")
    file = {"source": "data.xyz", "role": "data", "n_structures": 6, "n_atoms": 6, "sha256": "abc"}
    left_out = {"source": "data.xyz", "row": 3, "name": "broken", "reason": "positions are not finite numbers"}
    dataset = {"mode": "map", "energies": {"Si": -103.2}, "shift": 0.0, "files": [file], "left_out": [left_out]}
    write_yaml({**dataset, "warnings": ["left out: one", "data.xyz: 2 structures without forces"]}, tmp_path / "references.yaml")
    write_yaml({"source": "uniform", "kappa_auto": None}, tmp_path / "summary.yaml")
    write_text("s\th:m:s\tmax_rss\tcpu_time\n12.5\t0:00:12\t-\t10.0\n", tmp_path / "benchmarks" / "fit" / "step-00-cycle-00.tsv")
    write_text("s\th:m:s\tmax_rss\tcpu_time\n1.5\t0:00:01\t80.0\t1.0\n", tmp_path / "benchmarks" / "shard-000-of-001.tsv")
    return {
        "name": "tiny",
        "path_to_potential": tmp_path / "potential.yaml",
        "path_to_predicted_structures": tmp_path / "structures.parquet",
        "path_to_predicted_atoms": tmp_path / "atoms.parquet",
        "path_to_references": tmp_path / "references.yaml",
        "path_to_weight_summary": tmp_path / "summary.yaml",
        "paths_to_metrics": [tmp_path / "metrics.parquet"],
        "paths_to_results": [tmp_path / "result.yaml"],
        "paths_to_cycles": [tmp_path / "cycles.parquet"],
        "paths_to_benchmarks": [*sorted((tmp_path / "benchmarks").rglob("*.tsv")), tmp_path / "benchmarks" / "absent.tsv"],
        "path_to_figures": tmp_path / "out",
        "path_to_tables": tmp_path / "out" / "tables",
        "path_to_report": tmp_path / "out" / "summary.html",
    }


@pytest.fixture(scope="module")
def out(inputs):
    """Folder of a report made once for all tests."""
    report(**inputs)
    return inputs["path_to_figures"]


def test_report__writes_everything_the_catalogue_promises(out):
    expected = {figure_file(name) for name in FIGURES} | {f"tables/{table_file(name)}" for name in TABLES} | {"summary.html"}
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == expected


def test_report__tables_have_the_numbers(out):
    errors = pd.read_csv(out / "tables" / "errors.csv")
    assert errors.loc[0, ["subset", "structures"]].tolist() == ["train", "all"]
    assert errors.loc[0, "rmse_epa"] == pytest.approx(10.0)
    timing = pd.read_csv(out / "tables" / "timing.csv")
    assert timing[["stage", "job", "seconds"]].values.tolist() == [
        ["neighborlists", "shard-000-of-001", 1.5],
        ["fit", "step-00-cycle-00", 12.5],
    ]
    cycles = pd.read_csv(out / "tables" / "cycles.csv")
    assert cycles.loc[0, "stopped"] == "gradient below tolerance"
    assert cycles.loc[0, "selected"] == "yes"


def test_report__page_says_what_is_missing_and_left_out(out):
    page = (out / "summary.html").read_text(encoding="utf-8")
    assert "no test set: test-ef-pairplots" in page
    assert "the training set has no reference stresses: train-stress-pairplots" in page
    assert "data.xyz, structure 3 (broken): positions are not finite numbers" in page
    assert "1 structures excluded from the fit: too high" in page
    assert "data.xyz: 2 structures without forces" in page
    assert "gradient below tolerance" in page
    assert '<p class="warning"><strong>Warning:</strong> Si-Si: the energy ' in page
    assert 'id="figure-train-ef-pairplots"' in page
    assert 'id="figure-test-ef-pairplots"' not in page


@pytest.mark.slow
def test_report__same_inputs_give_the_same_bytes(inputs, out):
    first = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    report(**inputs)
    assert all(path.read_bytes() == content for path, content in first.items())


def test_report__refuses_a_broken_benchmark_file(inputs, tmp_path):
    write_text("", tmp_path / "empty.tsv")
    with pytest.raises(ArtifactError, match="is not a readable benchmark file"):
        report(**inputs | {"paths_to_benchmarks": [tmp_path / "empty.tsv"]})


def test_report__shows_the_configuration_where_it_is_given(inputs, out, tmp_path):
    paths = {"path_to_figures": tmp_path, "path_to_tables": tmp_path / "tables", "path_to_report": tmp_path / "summary.html"}
    report(**inputs | paths | {"configuration": "fit:\n  loss: {kappa: 0.3} # <b>\n"})
    text = (tmp_path / "summary.html").read_text()
    assert "<pre>fit:\n  loss: {kappa: 0.3} # &lt;b&gt;\n</pre>" in text
    assert "<h2>Configuration</h2>" not in (out / "summary.html").read_text()
