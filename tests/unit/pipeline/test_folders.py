import subprocess
import sys
from pathlib import Path

from acefit.config.runs import load_runs
from acefit.pipeline.folders import FIT, SHARD, Place, shared
from workflow_runs import write_config, write_dataset


def place(folder, changes=None):
    write_dataset(folder / "copper.xyz", n_structures=2)
    path = write_config(folder, changes)
    from acefit.config.source import read_source

    return Place.of(folder, "tiny", load_runs(read_source(path).data, path).configs["tiny"])


def test_place__paths_have_the_digits_of_the_workflow(tmp_path):
    where = place(tmp_path)
    assert where.path(FIT, step=1, cycle=12) == tmp_path / "results/tiny/fit/step-01/cycle-12"
    assert [path.name for path in where.shards()] == ["shard-000-of-002.parquet", "shard-001-of-002.parquet"]
    assert where.path(SHARD, shard=1) == where.shards()[1]


def test_shared__differs_with_the_settings_of_a_stage_alone(tmp_path):
    first, second = place(tmp_path).names, place(tmp_path, {"seed": 5}).names
    assert first["dataset"] == second["dataset"]
    assert first["split"] != second["split"]
    assert set(first) == {"dataset", "split", "weights", "cutoff", "shards"}
    assert shared.__doc__


def test_module__is_light():
    code = "import sys, acefit.pipeline.folders; print([m for m in ('numpy', 'pandas', 'ase', 'numba') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_patterns__are_those_of_the_rules():
    text = (Path(__file__).parents[3] / "workflow/rules/common.smk").read_text()
    assert "from acefit.pipeline.folders import" in text
    assert 'RUN = "' not in text
