"""Snakemake's cache between workflows: dataset and neighbour lists of one folder serve another, and nothing else does."""

import pytest

from workflow_runs import planned, run, write_config, write_dataset

pytestmark = pytest.mark.e2e

CACHED = ("--cache", "dataset", "neighborlists")
ONLY_SHARED = ("--until", "neighborlists")


def shared_files(folder):
    """Content of dataset and neighbour lists by name."""
    (dataset,) = (folder / "results/shared").glob("dataset-*")
    files = [dataset / name for name in ("structures.parquet", "atoms.parquet", "references.yaml")]
    files += sorted(dataset.glob("neighborlists-*/shard-*.parquet"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def was_executed(folder):
    """Which of the cached stages have something in their log; it is empty where files came from the cache."""
    logs = (folder / "results/shared").glob("dataset-*/**/logs/*.log")
    return {path.stem.partition("-")[0] for path in logs if path.stat().st_size} & {"dataset", "shard"}


@pytest.fixture(scope="module")
def cache(finished, tmp_path_factory):
    """A cache that was filled by a run in a folder of its own, as an environment."""
    place, folder = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("first")
    environment = {"SNAKEMAKE_OUTPUT_CACHE": str(place)}
    write_dataset(folder / "copper.xyz")
    answer = run(folder, write_config(folder), *ONLY_SHARED, *CACHED, environment=environment)
    assert answer.code == 0, answer.text
    assert was_executed(folder) == {"dataset", "shard"}
    assert shared_files(folder) == shared_files(finished)
    return environment


@pytest.mark.long
def test_cache__serves_a_fresh_folder_and_the_results_are_the_same(finished, cache, tmp_path):
    write_dataset(tmp_path / "copper.xyz")
    config = write_config(tmp_path)
    answer = run(tmp_path, config, *CACHED, environment=cache)
    assert answer.code == 0, answer.text
    assert was_executed(tmp_path) == set()
    assert shared_files(tmp_path) == shared_files(finished)
    for name in ("potential.yaml", "predict/structures.parquet", "predict/atoms.parquet"):
        assert (tmp_path / "results/tiny" / name).read_bytes() == (finished / "results/tiny" / name).read_bytes(), name
    # the report does without the times of the jobs that took none
    assert "dataset" not in (tmp_path / "results/tiny/report/tables/timing.csv").read_text()
    assert planned(tmp_path, config, *CACHED, environment=cache).jobs == planned(tmp_path, config).jobs == {}


@pytest.mark.parametrize(
    ("n_structures", "changes", "executed"),
    [
        (12, {}, {"dataset", "shard"}),
        (14, {"potential": {"bonds": {"ALL": {"rcut": 4.1}}}}, {"shard"}),
        (14, {"seed": 2, "fit": {"maxiter": 3}}, set()),
    ],
    ids=["data", "cutoff", "fit"],
)
def test_cache__is_used_only_where_nothing_differs(cache, tmp_path, n_structures, changes, executed):
    write_dataset(tmp_path / "copper.xyz", n_structures=n_structures)
    answer = run(tmp_path, write_config(tmp_path, changes), *ONLY_SHARED, *CACHED, environment=cache)
    assert answer.code == 0, answer.text
    assert was_executed(tmp_path) == executed
