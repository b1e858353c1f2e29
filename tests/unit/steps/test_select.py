"""The step `select`."""

import math

import pytest

from acefit.artifacts import content_digest, read_frame
from acefit.errors import ArtifactError
from acefit.files import read_sealed, write_sealed, write_yaml
from acefit.steps.select import select


def write_cycles(folder, losses):
    results, potentials = [], []
    for cycle, loss in enumerate(losses):
        result, potential = folder / f"result-{cycle}.yaml", folder / f"potential-{cycle}.yaml"
        write_sealed(f"potential of cycle {cycle}\n", potential)
        write_yaml(
            {
                "potential_sha256": content_digest(potential),
                "step": 2,
                "cycle": cycle,
                "loss": loss,
                "reason": "maxiter reached",
                "converged": False,
                "iterations": 5,
                "evaluations": 9,
                "n_functions": 4,
                "n_parameters": 12,
                "metrics": {"train": {"rmse_epa": 0.1 + cycle, "rmse_f_comp": 0.2}},
            },
            result,
        )
        results.append(result)
        potentials.append(potential)
    return {"paths_to_results": results, "paths_to_potentials": potentials}


def targets(folder):
    return {
        "path_to_potential": folder / "best.yaml",
        "path_to_cycles": folder / "cycles.parquet",
        "path_to_ensemble": folder / "ensemble",
    }


def test_select__takes_the_lowest_loss_and_tabulates_all(tmp_path):
    select(**write_cycles(tmp_path, [0.5, 0.2, math.nan]), **targets(tmp_path))
    assert read_sealed(tmp_path / "best.yaml")[0] == "potential of cycle 1\n"
    cycles = read_frame(tmp_path / "cycles.parquet", "cycles")
    assert list(cycles["selected"]) == [False, True, False]
    assert list(cycles["step"]) == [2, 2, 2]
    assert cycles["rmse_epa_train"].iloc[1] == pytest.approx(1.1)
    assert cycles["rmse_epa_test"].isna().all()
    assert list((tmp_path / "ensemble").iterdir()) == []


def test_select__keeps_all_members_of_an_ensemble(tmp_path):
    select(**write_cycles(tmp_path, [0.5, 0.2]), **targets(tmp_path), ensemble=True)
    names = sorted(path.name for path in (tmp_path / "ensemble").iterdir())
    assert names == ["ensemble_potential_0.yaml", "ensemble_potential_1.yaml"]
    assert read_sealed(tmp_path / "ensemble" / names[0])[0] == "potential of cycle 0\n"


def test_select__needs_pairs_of_files(tmp_path):
    files = write_cycles(tmp_path, [0.5, 0.2])
    files["paths_to_potentials"] = files["paths_to_potentials"][:1]
    with pytest.raises(ArtifactError, match="2 results and 1 potentials are given"):
        select(**files, **targets(tmp_path))
