"""Tiny whole runs: what they leave, other inputs and places, wrong inputs, and that defaults do not leak."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from ase.io import read, write

from acefit.artifacts import read_frame
from acefit.calculator import ACECalculator
from acefit.files import read_yaml
from acefit.potential.bbasis import read_potential
from workflow_runs import ROOT, planned, run, write_config, write_dataset

pytestmark = pytest.mark.e2e

FITS = [(step, cycle) for step in (0, 1) for cycle in (0, 1)]


def test_run__leaves_all_artifacts(finished):
    results = finished / "results/tiny"
    files = [
        "potential.yaml",
        "predict/structures.parquet",
        "predict/atoms.parquet",
        "report/summary.html",
        "export/potential.yace",
        "export/lammps.in",
        "predict/cost.yaml",
    ]
    files += [
        f"fit/step-{s:02d}/cycle-{c:02d}/{name}" for s, c in FITS for name in ("potential.yaml", "metrics.parquet", "result.yaml")
    ]
    (dataset,) = (finished / "results/shared").glob("dataset-*")
    for stage, file in (("split", "split.parquet"), ("weights", "summary.yaml")):
        (folder,) = dataset.glob(f"{stage}-*")
        files += [folder / file, folder / f"logs/{stage}.log", folder / f"benchmarks/{stage}.tsv"]
    assert [file for file in files if not (results / file).is_file()] == []
    stages = ["basis", "potential", "export", "predict", "report"]
    stages += [f"fit/step-{s:02d}-cycle-{c:02d}" for s, c in FITS] + [f"select/step-{s:02d}" for s in (0, 1)]
    assert [stage for stage in stages if not (results / f"logs/{stage}.log").is_file()] == []
    assert [stage for stage in stages if not (results / f"benchmarks/{stage}.tsv").is_file()] == []


def test_run__loss_falls_along_the_ladder_and_the_best_cycle_is_kept(finished):
    folder = finished / "results/tiny"
    best = []
    for step in (0, 1):
        losses = [read_yaml(folder / f"fit/step-{step:02d}/cycle-{cycle:02d}/result.yaml")["loss"] for cycle in (0, 1)]
        kept = folder / f"fit/step-{step:02d}/cycle-{int(np.argmin(losses)):02d}/potential.yaml"
        assert (folder / f"select/step-{step:02d}/potential.yaml").read_bytes() == kept.read_bytes()
        best.append(min(losses))
    assert best[1] < best[0]


def test_export__has_the_energies_of_the_potential_and_lammps_is_told_its_name(finished):
    folder = finished / "results/tiny"
    calculators = [ACECalculator(folder / name) for name in ("potential.yaml", "export/potential.yace")]
    for atoms in read(finished / "copper.xyz", ":")[:3]:
        found = []
        for calculator in calculators:
            atoms.calc = calculator
            found.append((atoms.get_potential_energy(), atoms.get_forces()))
        assert found[1][0] == pytest.approx(found[0][0], rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(found[1][1], found[0][1], atol=1e-12)
    assert "pair_coeff      * * potential.yace Cu" in (folder / "export/lammps.in").read_text()


def test_predictions__are_what_the_calculator_gives(finished):
    """The potential that is written is the one that was judged (tolerance: summation order)."""
    table = read_frame(finished / "results/tiny/predict/structures.parquet", "predicted_structures")
    calculator = ACECalculator(read_potential(finished / "results/tiny/potential.yaml"))
    for row, atoms in enumerate(read(finished / "copper.xyz", ":")):
        atoms.calc = calculator
        assert atoms.get_potential_energy() == pytest.approx(table["energy_predicted"][row], rel=1e-9, abs=1e-9)


def test_tables__open_with_pandas_and_say_where_they_come_from(finished):
    path = finished / "results/tiny/predict/structures.parquet"
    assert len(pd.read_parquet(path)) == 15
    assert json.loads(pq.read_schema(path).metadata[b"acefit"])["provenance"]["step"] == "predict"


def test_second_run__shares_dataset_and_neighbour_lists(finished, tmp_path):
    answer = planned(finished, write_config(tmp_path, {"name": "second", "seed": 2}))
    assert not set(answer.jobs) & {"dataset", "neighborlists"}
    assert {"split", "weights", "basis"} <= set(answer.jobs)


def test_pacemaker_input__runs_unchanged_from_another_folder(tmp_path):
    """Two elements, a pickled data frame, keys without meaning here, no name: the folder's name is the run's."""
    folder = tmp_path / "alloy"
    folder.mkdir()
    write_dataset(tmp_path / "alloy.xyz", ("Al", "Cu"), n_structures=6)
    frames = read(tmp_path / "alloy.xyz", ":")
    table = {
        "ase_atoms": frames,
        "energy": [a.get_potential_energy() for a in frames],
        "forces": [a.get_forces() for a in frames],
    }
    pd.DataFrame(table).to_pickle(folder / "alloy.pckl.gzip", compression="gzip", protocol=4)
    shutil.copy(ROOT / "tests/config/pacemaker-input.yaml", folder / "input.yaml")
    answer = run(folder, folder / "input.yaml")
    assert answer.code == 0, answer.text
    assert "gpu_config" in answer.text
    assert re.search(r"train RMSE: energy \d+\.\d\d meV/atom, forces 0\.\d+ eV/Å", answer.text)
    potential = read_potential(folder / "results/alloy/potential.yaml")
    assert potential.elements == ("Al", "Cu")
    assert "reference_energy" in potential.metadata


def test_upfit__goes_on_from_a_finished_potential(finished, tmp_path):
    shutil.copytree(finished / "results/shared", tmp_path / "results/shared")
    shutil.copy(finished / "copper.xyz", tmp_path)
    shutil.copy(finished / "results/tiny/potential.yaml", tmp_path / "start.yaml")
    fit = {"ladder_step": None, "fit_cycles": 1, "restarts": None, "noise_relative_sigma": None, "maxiter": 3}
    config = write_config(tmp_path, {"name": "upfit", "potential": None, "fit": fit})
    config.write_text(config.read_text() + "potential: start.yaml\n")
    answer = run(tmp_path, config, "results/upfit/select/step-00/potential.yaml")
    assert answer.code == 0, answer.text
    before = read_yaml(finished / "results/tiny/fit/step-01/cycle-01/result.yaml")["loss"]
    assert read_yaml(tmp_path / "results/upfit/fit/step-00/cycle-00/result.yaml")["loss"] <= before * (1 + 1e-9)


def test_adam__fits_with_minibatches(tmp_path):
    write_dataset(tmp_path / "copper.xyz")
    fit = {"optimizer": "Adam", "options": {"batch_size": 4, "learning_rate": 0.02}, "ladder_step": None, "fit_cycles": 1}
    config = write_config(tmp_path, {"name": "adam", "fit": {**fit, "restarts": None, "noise_relative_sigma": None}})
    answer = run(tmp_path, config, "results/adam/select/step-00/potential.yaml")
    assert answer.code == 0, answer.text
    metrics = read_frame(tmp_path / "results/adam/fit/step-00/cycle-00/metrics.parquet", "metrics")
    losses = metrics[metrics["subset"] == "train"]["loss"]
    assert len(losses) == 7
    assert losses.iloc[-1] < losses.iloc[0]
    assert "minibatches of " in (tmp_path / "results/adam/logs/fit/step-00-cycle-00.log").read_text()


# ---------------------------------------------------------------- wrong input: one clear message


def test_wrong_key__is_one_message_with_line_and_suggestion(tmp_path):
    write_dataset(tmp_path / "copper.xyz", n_structures=2)
    config = write_config(tmp_path, {"fit": {"loss": {"kapa": 0.1}}})
    answer = run(tmp_path, config, "--dry-run")
    assert answer.code == 1
    assert "fit.loss.kapa: unknown key; did you mean 'kappa'?" in answer.text
    assert "Traceback" not in answer.text


def test_missing_dataset__is_one_message(tmp_path):
    (tmp_path / "coper.xyz").touch()
    answer = run(tmp_path, write_config(tmp_path), "--dry-run")
    assert answer.code == 1
    assert "tiny.yaml:" in answer.text
    assert "data.filename: no file 'copper.xyz'; did you mean 'coper.xyz'?" in answer.text
    assert "Traceback" not in answer.text


def test_bad_structure__is_one_message_and_stands_in_the_log(tmp_path):
    write_dataset(tmp_path / "copper.xyz", n_structures=3)
    frames = read(tmp_path / "copper.xyz", ":")
    frames[1].calc.results["forces"][0, 0] = np.nan
    write(tmp_path / "copper.xyz", frames, format="extxyz")
    config = write_config(tmp_path)
    answer = run(tmp_path, config)
    assert answer.code == 1
    assert answer.text.count("[dataset] error: ") == 1
    assert "Traceback" not in answer.text
    (log,) = (tmp_path / "results/shared").glob("dataset-*/logs/dataset.log")
    assert "copper.xyz" in log.read_text()


# ---------------------------------------------------------------- defaults and tools


def test_default_config__does_not_leak_into_a_users_file(tmp_path):
    """The default has a weighting, a ladder and two cycles; a file without these has none of them."""
    write_dataset(tmp_path / "copper.xyz", n_structures=2)
    minimal = yaml.safe_load(write_config(tmp_path).read_text())
    config = tmp_path / "minimal.yaml"
    config.write_text(yaml.safe_dump({key: minimal[key] for key in ("potential", "data")}))
    answer = run(tmp_path, config, "results/minimal/basis/ladder.yaml")
    assert answer.code == 0, answer.text
    assert len(read_yaml(tmp_path / "results/minimal/basis/ladder.yaml")["steps"]) == 1
    assert "results/silicon" not in answer.text


def test_default_config__runs_the_example_from_the_root():
    answer = planned(ROOT, None, "--forceall")
    assert {"dataset", "split", "weights", "basis"} <= set(answer.jobs)


def test_workflow__passes_snakemakes_lint(finished):
    answer = run(finished, finished / "tiny.yaml", "--lint")
    assert answer.code == 0, answer.text
    assert "in a good condition" in answer.text


def test_dataset_folder__is_named_by_the_data_settings(finished):
    """Runs on several machines find the same name."""
    code = (
        "import sys; from acefit.config.loading import load_config; from acefit.config.stages import dataset_digest;"
        "print(dataset_digest(load_config(sys.argv[1])))"
    )
    done = subprocess.run([sys.executable, "-c", code, "tiny.yaml"], cwd=finished, capture_output=True, text=True, check=True)
    assert (finished / f"results/shared/dataset-{done.stdout.strip()}").is_dir()
