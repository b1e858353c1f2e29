"""The whole pipeline through the profile for any batch system, with a `qsub` that runs its script at once."""

import os
import re
from importlib.util import find_spec

import pytest

from workflow_runs import ROOT, run, write_config, write_dataset

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        find_spec("snakemake_executor_plugin_cluster_generic") is None,
        reason="Snakemake's plugin for other batch systems is not here: pip install -e '.[generic]'",
    ),
]

QSUB = """#!/bin/bash
# the script is the last word
echo "$*" >> submitted.txt
for script; do :; done
nohup bash "$script" > job.$$.log 2>&1 &
echo $$
"""


def test_pipeline__asks_for_what_each_job_needs_and_ends_at_the_same_potential(finished, tmp_path):
    write_dataset(tmp_path / "copper.xyz")
    qsub = tmp_path / "bin/qsub"
    qsub.parent.mkdir()
    qsub.write_text(QSUB)
    qsub.chmod(0o755)
    arguments = ("--profile", str(ROOT / "profiles/generic"), "--seconds-between-status-checks", "1", "--latency-wait", "10")
    environment = {"PATH": f"{qsub.parent}:{os.environ['PATH']}"}
    answer = run(tmp_path, write_config(tmp_path), *arguments, environment=environment, cores=None)
    assert answer.code == 0, answer.text
    submitted = (tmp_path / "submitted.txt").read_text()
    jobs = [
        (script.split(".")[0], int(cores), int(memory), int(minutes))
        for cores, memory, minutes, script in re.findall(
            r"ncpus=(\d+):mem=(\d+)mb -l walltime=(\d+):00.*snakejob\.(\S+)", submitted
        )
    ]
    assert sorted(name for name, *_ in jobs) == sorted(
        ["prepare_dataset_split_weights", "basis", *["neighborlists"] * 2, *["fit"] * 4, "finish_potential_predict_report"]
    )
    asked = {name: rest for name, *rest in jobs}
    # a group gets what its largest member needs, and the time of all one after the other
    assert asked["prepare_dataset_split_weights"] == [1, 2000, 180]
    assert asked["finish_potential_predict_report"] == [16, 3000, 180]
    assert asked["fit"] == [16, 800, 1440]
    name = "results/tiny/potential.yaml"
    assert (tmp_path / name).read_bytes() == (finished / name).read_bytes()
