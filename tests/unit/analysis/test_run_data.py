import pytest

from acefit.analysis.run_data import read_run
from acefit.errors import ArtifactError
from acefit.pipeline.folders import FIT, RUN, SELECT


def files(tiny_fit):
    place = tiny_fit.run.place
    folder = place.path(FIT, step=0, cycle=0)
    predicted = place.path(f"{RUN}/predict/structures.parquet"), place.path(f"{RUN}/predict/atoms.parquet")
    selected = [place.path(f"{SELECT}/cycles.parquet", step=0)]
    return (place.path(f"{RUN}/potential.yaml"), predicted, ([folder / "metrics.parquet"], [folder / "result.yaml"], selected))


def test_read_run__has_metrics_predictions_and_reasons(tiny_fit):
    data, reasons = read_run("tiny", *files(tiny_fit))
    assert data.metrics["iter_num"].max() == 2
    assert len(data.predictions.structures) == 15
    assert data.timing.empty
    assert list(reasons) == [(0, 0)]


def test_read_run__reads_benchmarks_that_exist(tiny_fit, tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks/predict.tsv").write_text("s\tmax_rss\tcpu_time\n1.5\t80\t1\n")
    paths = [tmp_path / "benchmarks/predict.tsv", tmp_path / "benchmarks/absent.tsv"]
    assert list(read_run("tiny", *files(tiny_fit), paths)[0].timing["seconds"]) == [1.5]
    paths[0].write_text("")
    with pytest.raises(ArtifactError, match="not a readable benchmark"):
        read_run("tiny", *files(tiny_fit), paths)
