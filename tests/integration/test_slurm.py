"""The whole pipeline through a real Slurm: parallel restarts, a job ended by its time limit that goes on, a drained node."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

import slurm_cluster
from acefit.files import read_yaml
from mpi_command import ENVIRONMENT, needs_mpi
from workflow_runs import ROOT, command, run, write_config, write_dataset

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

# What a cluster without accounting needs, and polling as fast as one node allows
OPTIONS = ["--profile", str(ROOT / "profiles/slurm"), "--slurm-no-account", "--slurm-status-command", "squeue"]
OPTIONS += ["--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1", "--latency-wait", "20"]
OPTIONS += [
    "--set-threads",
    "fit=1",
    "predict=1",
    "--default-resources",
    f"slurm_partition={slurm_cluster.PARTITION}",
    "runtime=10",
]

# As on a cluster; Debian's Slurm speaks PMIx, by which Open MPI finds its place
STARTER = "srun --mpi=pmix --kill-on-bad-exit=1"
RESTARTS = {"fit": {"fit_cycles": 3, "maxiter": 12}}
# A callback that keeps each of 75 iterations waiting for a second, so that the fit does not end within its minute
SLOW = {"fit": {"fit_cycles": 1, "maxiter": 75, "ladder_step": 100, "callbacks": ["slow_callback.wait"]}}
CALLBACK = "import time\n\n\ndef wait(**_):\n    time.sleep(1.0)\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if reason := slurm_cluster.missing():
        pytest.skip(reason)
    if find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("Snakemake's plugin for Slurm is not here: pip install -e '.[slurm]'")
    with slurm_cluster.slurm_cluster(tmp_path_factory.mktemp("slurm")) as folder:
        yield folder


def submit(folder, config, *arguments):
    """Start Snakemake, which gives its jobs to Slurm."""
    return subprocess.Popen(
        command(folder, config, *arguments, *OPTIONS, cores=None),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def batch_jobs(cluster):
    """Jobs that ended: number -> (state, start, end)."""
    lines = (cluster / "finished.txt").read_text().splitlines()
    fields = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
    return {job["JobId"]: (job["JobState"], job["StartTime"], job["EndTime"]) for job in fields}


def test_pipeline__gives_the_same_potential_as_on_one_machine(cluster, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        write_dataset(folder / "copper.xyz")
    answer = run(here, write_config(here, RESTARTS))
    assert answer.code == 0, answer.text

    slurm_cluster.set_node("drain")
    job = submit(there, write_config(there, RESTARTS))
    slurm_cluster.wait_for(lambda: "PD" in slurm_cluster.answer("squeue", "--noheader", "--format=%t"), "a job that waits")
    assert not list(there.glob("results/*/basis/*"))
    slurm_cluster.set_node("resume")
    text, _ = job.communicate(timeout=600)
    assert job.returncode == 0, text
    for name in ("potential.yaml", "fit/step-00/cycle-02/potential.yaml"):
        assert (there / "results/tiny" / name).read_bytes() == (here / "results/tiny" / name).read_bytes()
    submitted = re.findall(r"has been submitted with SLURM jobid (\d+) \(log: \S+/slurm_logs/(?:rule|group)_(\S+)/\d+\.log", text)
    numbers = {name: number for number, name in submitted}
    # stages that take seconds go together, the choice of the best cycle is made where Snakemake runs
    assert sorted(name for name in numbers if name.startswith("fit")) == [
        f"fit/tiny_0{s}_0{c}" for s in (0, 1) for c in (0, 1, 2)
    ]
    assert [len([name for name in numbers if name.startswith(group)]) for group in ("prepare", "finish", "select")] == [1, 1, 0]
    jobs = batch_jobs(cluster)
    _, begun, ended = jobs[numbers["fit/tiny_00_01"]]
    _, other_begun, other_ended = jobs[numbers["fit/tiny_00_02"]]
    assert max(begun, other_begun) < min(ended, other_ended), "the restarts did not run side by side"


def test_fit__that_met_its_time_limit_goes_on_by_itself(cluster, tmp_path):
    folder = tmp_path
    write_dataset(folder / "copper.xyz")
    (folder / "slow_callback.py").write_text(CALLBACK)
    config = write_config(folder, SLOW)
    job = submit(folder, config, "--set-resources", "fit:runtime=1")
    text, _ = job.communicate(timeout=900)
    assert job.returncode == 0, text
    assert "TIMEOUT" in {state for state, *_ in batch_jobs(cluster).values()}
    resumed = re.search(
        r"continues an earlier run after (\d+) evaluations", (folder / "results/tiny/logs/fit/step-00-cycle-00.log").read_text()
    )
    assert resumed is not None
    # a second each, and a minute
    assert int(resumed[1]) > 30


@needs_mpi
def test_fits_of_two_processes__run_in_one_batch_job(cluster, tmp_path, monkeypatch):
    if not list(Path("/usr/lib").glob("*/libpmix.so")):
        pytest.skip("Slurm starts processes of Open MPI with PMIx (Debian: apt-get install libpmix-dev)")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        write_dataset(folder / "copper.xyz")
    target = "results/tiny/select/step-00/potential.yaml"
    changes = {"fit": {"fit_cycles": 1}}
    assert run(here, write_config(here, changes), target).code == 0
    job = submit(
        there, write_config(there, changes), target, "--retries", "0", "--set-resources", "fit:tasks=2", f"fit:mpi={STARTER}"
    )
    text, _ = job.communicate(timeout=600)
    assert job.returncode == 0, text
    losses = [read_yaml(folder / "results/tiny/fit/step-00/cycle-00/result.yaml")["loss"] for folder in (here, there)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-8)
    assert "2 processes" in (there / "results/tiny/logs/fit/step-00-cycle-00.log").read_text()
