"""The workflow with fits of several processes."""

import pytest

from acefit.files import read_yaml
from mpi_command import COMMAND, ENVIRONMENT, needs_mpi
from workflow_runs import run, write_config, write_dataset

pytestmark = [pytest.mark.e2e, needs_mpi]

OPTIONS = ("--set-resources", "fit:tasks=2", f"fit:mpi={COMMAND}", "--set-threads", "fit=1")


@pytest.mark.long
def test_fits_of_two_processes__end_where_those_of_one_do(finished, tmp_path):
    write_dataset(tmp_path / "copper.xyz")
    target = "results/tiny/select/step-00/potential.yaml"
    answer = run(tmp_path, write_config(tmp_path), target, *OPTIONS, environment=ENVIRONMENT)
    assert answer.code == 0, answer.text
    result = "results/tiny/fit/step-00/cycle-00/result.yaml"
    found, expected = read_yaml(tmp_path / result), read_yaml(finished / result)
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-8)
    assert (found["iterations"], found["n_parameters"]) == (expected["iterations"], expected["n_parameters"])
    log = (tmp_path / "results/tiny/logs/fit/step-00-cycle-00.log").read_text()
    assert "2 processes" in log


def test_step_that_is_done__is_not_done_again_with_other_processes(finished, tmp_path):
    answer = run(finished, finished / "tiny.yaml", "--dry-run", *OPTIONS)
    assert answer.code == 0, answer.text
    assert "fit" not in answer.jobs
