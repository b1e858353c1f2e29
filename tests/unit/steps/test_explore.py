import ase.io
import numpy as np
import pytest

from acefit.artifacts import read_frame
from acefit.data.storage import read_dataset
from acefit.errors import DataError
from acefit.steps.explore import explore
from active_sets import alloys
from round_files import write_active_set

WALK = {"temperature": 300.0, "pressure": None, "seed": 1, "steps": 4, "timestep": 2.0, "interval": 2, "stop_above": 1e9}


def run(folder, **options):
    ase.io.write(folder / "start.xyz", alloys(2, labels=False))
    outputs = {f"path_to_{what}": folder / f"out-{what}.parquet" for what in ("structures", "atoms", "gamma")}
    settings = {**WALK, "collect_above": 1e-6, **options}
    explore(**write_active_set(folder), **outputs, paths_to_start=[folder / "start.xyz"], name="r/walk-00", code="c", **settings)
    return read_dataset(outputs["path_to_structures"], outputs["path_to_atoms"]), read_frame(
        outputs["path_to_gamma"], "exploration"
    )


def test_explore__collects_from_every_start(tmp_path):
    collected, gamma = run(tmp_path)
    assert gamma["start"].tolist() == [0, 0, 0, 1, 1, 1]
    assert gamma["step"].tolist() == [0, 2, 4] * 2
    assert gamma["time"].tolist() == [0.0, 4.0, 8.0] * 2
    assert collected.structures.names[-1] == "r/walk-00/1/2"
    assert set(collected.structures.groups) == {"active"}
    assert np.isnan(collected.raw_energies).all()
    assert set(collected.roles) == {"train"}


def test_explore__may_collect_nothing(tmp_path):
    collected, gamma = run(tmp_path, collect_above=1e8)
    assert collected.structures.n_structures == 0
    assert len(gamma) == 6


def test_explore__needs_readable_structures(tmp_path):
    write_active_set(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        explore(
            **write_active_set(tmp_path),
            path_to_structures=tmp_path / "a",
            path_to_atoms=tmp_path / "b",
            path_to_gamma=tmp_path / "c",
            paths_to_start=[tmp_path / "absent.xyz"],
            name="w",
            collect_above=1.0,
            **WALK,
        )
