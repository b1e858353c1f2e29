"""Faults of the machine and of its users, on whole runs: whatever happens, a plain rerun ends at the potential of a calm run.

The quick ones belong to the default suite; those with the marker `faults` take about half an hour (`make faults`).
"""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from fault_runs import (
    POTENTIAL,
    RUN,
    TALLY,
    artifacts,
    check_intact,
    check_survives,
    copy_run,
    end_group,
    format_tally,
    prepare,
    start,
    wait_for_group,
)
from workflow_runs import ROOT, run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# The third iteration waits as long as there is a file, so that there is a middle to be met in
CALLBACK = """
import time
from pathlib import Path


def wait(current_fit_iteration, **state):
    while current_fit_iteration == 3 and Path("hold").exists():
        time.sleep(0.05)
"""
FIT = RUN / "fit/step-00/cycle-00"
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """Folder of an undisturbed run up to the potential, how long it took, and the fault points it passed."""
    folder = tmp_path_factory.mktemp("calm") / "run"
    began = time.monotonic()
    answer = run(folder, prepare(folder), environment={"ACEFIT_FAULT": f"list:{folder / 'points'}"})
    assert answer.code == 0, answer.text
    (folder / "seconds").write_text(str(time.monotonic() - began))
    return folder


@pytest.fixture(scope="module", autouse=True)
def _table():
    """Show the table of all trials at the end."""
    yield
    print(f"\n{format_tally()}")


def finished_but_for_the_fits(source, folder, hold=False):
    """A copy of a run whose fits are to be made; they may hold in the middle, see `is_fitting` and `go_on`."""
    config = copy_run(source, folder)
    for name in ("fit", "select", "predict", "report", "potential.yaml"):
        path = folder / RUN / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if hold:
        (folder / "hold").touch()
        (folder / "holding.py").write_text(CALLBACK)
        config.write_text(config.read_text().replace("fit:\n", "fit:\n  callbacks: [holding.wait]\n"))
    return config


def go_on(folder):
    (folder / "hold").unlink()


def wait_for(condition, process, folder):
    """Wait for something in a running process."""
    deadline = time.monotonic() + 240
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, (folder / "run.log").read_text()


def is_fitting(folder):
    text = folder / FIT / "running/metrics.txt"
    return lambda: text.exists() and text.read_text().count("\n") > 3


# The fit itself


def run_trials(folder, *actions):
    """Trials on one fit, each in a process of its own; see `fault_trials`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(ROOT / "tests/fault_trials.py"), str(folder), *actions]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=900)
    assert answer.returncode == 0, answer.stderr[-3000:]
    result = json.loads(answer.stdout)
    for action, row in result["table"].items():
        assert row["survivors"] == row["trials"] > 10
        assert row["lost"] <= 1
        TALLY[f"{action} at the writes of a fit"] = list(row.values())
    return result


def test_fit__killed_at_every_write_goes_on(tmp_path):
    result = run_trials(tmp_path, "kill", "full:first")
    written = {point.partition("/")[0] for point in result["points"]}
    assert {"evaluations.log", "metrics.txt", "test_metrics.txt", "potential.yaml", "metrics.parquet", "result.yaml"} <= written
    assert result["table"]["kill"]["trials"] > 60


@pytest.mark.faults
def test_fit__full_disk_and_full_memory_at_every_write(tmp_path):
    run_trials(tmp_path, "full", "memory")


# Ends that come from outside


@pytest.mark.faults
@pytest.mark.parametrize("number", range(20))
def test_kill__at_a_random_moment_of_the_whole_pipeline(calm, tmp_path, number):
    folder = tmp_path / "run"
    config = prepare(folder)
    moment = (number + random.Random(number).random()) / 20 * float((calm / "seconds").read_text())
    process = start(folder, config)
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        end_group(process)
    check_survives("kill -9 at a random moment of the whole pipeline", folder, config, calm, unlock=True)


def try_signal(source, folder, number):
    """Send a signal to all processes of a run in the middle of a fit, and go on."""
    config = finished_but_for_the_fits(source, folder, hold=True)
    process = start(folder, config, str(POTENTIAL))
    wait_for(is_fitting(folder), process, folder)
    end_group(process, number)
    go_on(folder)
    is_killed = number == signal.SIGKILL
    answer = check_survives(f"{number.name} to all processes", folder, config, source, str(POTENTIAL), unlock=is_killed)
    assert "continues an earlier run" in (folder / RUN / "logs/fit/step-00-cycle-00.log").read_text()
    assert "dataset" not in answer.jobs


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.faults)], ids=["kill", "interrupt"]
)
def test_signal_to_all_processes__fit_goes_on(finished, tmp_path, number):
    try_signal(finished, tmp_path / "run", number)


@pytest.mark.faults
def test_termination_of_all_processes__fit_goes_on(finished, tmp_path):
    try_signal(finished, tmp_path / "run", signal.SIGTERM)


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=["term", "interrupt", "kill"])
def test_signal_to_snakemake_alone__fit_ends_or_is_left_alone(calm, tmp_path, number):
    folder = tmp_path / "run"
    config = finished_but_for_the_fits(calm, folder, hold=True)
    process = start(folder, config, str(POTENTIAL))
    wait_for(is_fitting(folder), process, folder)
    process.send_signal(number)
    if number != signal.SIGKILL:
        # Snakemake waits for the job that runs
        go_on(folder)
    process.wait(timeout=120)
    if number == signal.SIGKILL:
        # the fit lives on; whoever starts another one is told so
        assert run(folder, config, "--unlock").code == 0
        answer = run(folder, config, str(POTENTIAL))
        assert answer.code != 0
        assert "another process is running this fit" in answer.text
        os.killpg(process.pid, signal.SIGKILL)
        wait_for_group(process)
        go_on(folder)
    check_survives(f"{number.name} to Snakemake alone", folder, config, calm, str(POTENTIAL))


def test_second_run__in_the_same_folder_is_refused(finished, tmp_path):
    folder = tmp_path / "run"
    config = finished_but_for_the_fits(finished, folder, hold=True)
    process = start(folder, config, str(POTENTIAL))
    wait_for(is_fitting(folder), process, folder)
    second = run(folder, config, str(POTENTIAL))
    assert second.code != 0
    assert "Directory cannot be locked" in second.text
    third = run(folder, config, str(POTENTIAL), "--nolock")
    assert third.code != 0
    assert "another process is running this fit" in third.text
    go_on(folder)
    process.wait(timeout=240)
    check_survives("second run at once in one directory", folder, config, finished, str(POTENTIAL))


# Memory, disk and permissions


@pytest.mark.faults
@pytest.mark.parametrize("megabytes", [500, 700, 900, 1100, 1400, 1800, 2300, 3000])
def test_memory__limit_of_the_address_space(calm, tmp_path, megabytes):
    folder = tmp_path / "run"
    config = prepare(folder)
    limits = (megabytes * MEGABYTE, megabytes * MEGABYTE)
    process = start(folder, config, before=lambda: resource.setrlimit(resource.RLIMIT_AS, limits))
    try:
        process.wait(timeout=240)
        outcome = "the job fails" if process.returncode else "sufficient"
    except subprocess.TimeoutExpired:
        # OpenBLAS asks for its buffers for ever
        end_group(process)
        outcome = "a library hangs and is killed"
    check_survives(f"address space limited, {outcome}", folder, config, calm, unlock=process.returncode < 0)


def points_of(calm):
    """Fault points of the whole pipeline up to the report, once each, in order."""
    names = dict.fromkeys((calm / "points").read_text().splitlines())
    return [name for name in names if not name.startswith("figure-")]


@pytest.mark.faults
@pytest.mark.parametrize("action", ["kill", "full", "memory"])
def test_faults__one_after_the_other_at_the_writes_of_all_stages(calm, tmp_path, action):
    """Each run meets the fault at the next point that it passes, and the following one goes on from there."""
    folder = tmp_path / "run"
    config, met = prepare(folder), 0
    names = [name for name in points_of(calm) if name.endswith("/written") or (action == "kill" and name.endswith("/renamed"))]
    for name in names:
        before = tmp_path / "before"
        shutil.copytree(folder, before, symlinks=True)
        answer = run(folder, config, environment={"ACEFIT_FAULT": f"{name}:1:{action}"})
        check_intact(folder, calm)
        if answer.code == 0:
            # the point was passed already, by a stage that ran beside another one
            shutil.rmtree(folder)
            before.rename(folder)
            continue
        shutil.rmtree(before)
        met += 1
        if action == "full":
            assert "No space left on device" in answer.text
            assert "free some space and give the same command again: finished results are kept" in answer.text
        if action == "memory":
            assert "out of memory" in answer.text
    assert met > 15
    check_survives(f"{action} at the writes of all stages, {met} runs one after the other", folder, config, calm)


@pytest.fixture
def small_disk(tmp_path):
    """A file system in memory of a given size, which is taken away at the end."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = []

    def mount(*options):
        command = ["mount", *options, "none", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("a file system can only be mounted by root")
        mounted.append(folder)
        return folder

    yield mount
    for path in mounted:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.faults
def test_full_disk__is_named_and_damages_nothing(calm, tmp_path, small_disk):
    disk = small_disk("-t", "tmpfs", "-o", "size=50m")
    folder = disk / "run"
    config = finished_but_for_the_fits(calm, folder)
    usage = shutil.disk_usage(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(usage.free - 100_000))
    answer = run(folder, config, str(POTENTIAL))
    assert answer.code != 0
    assert "No space left on device" in answer.text
    check_intact(folder, calm)
    filler.unlink()
    check_survives("full disk", folder, config, calm, str(POTENTIAL))


@pytest.mark.faults
def test_read_only_file_system__is_named_and_damages_nothing(calm, tmp_path, small_disk):
    disk = small_disk("-t", "tmpfs", "-o", "size=50m")
    folder = disk / "run"
    config = finished_but_for_the_fits(calm, folder)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    answer = run(folder, config, str(POTENTIAL))
    assert answer.code != 0
    assert "Read-only file system" in answer.text
    check_intact(folder, calm)
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    check_survives("read-only file system", folder, config, calm, str(POTENTIAL))


# Files and clocks


@pytest.mark.faults
def test_vanished_input__is_named_and_damages_nothing(calm, tmp_path):
    folder = tmp_path / "run"
    config = finished_but_for_the_fits(calm, folder)
    data = folder / "copper.xyz"
    data.rename(folder / "elsewhere.xyz")
    answer = run(folder, config, str(POTENTIAL))
    assert answer.code != 0
    assert "copper.xyz" in answer.text
    check_intact(folder, calm)
    (folder / "elsewhere.xyz").rename(data)
    answer = check_survives("vanished input", folder, config, calm, str(POTENTIAL))
    assert "dataset" not in answer.jobs


@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2])
def test_clock__jumps_damage_nothing(calm, tmp_path, seed):
    """Dates of files up to a day ahead or behind, as a clock that is set leaves them; stages may run again, to the same end."""
    folder = tmp_path / "run"
    config, generator = copy_run(calm, folder), random.Random(seed)
    for path in artifacts(folder):
        moment = time.time() + generator.choice([-86400, -3600, 3600, 86400])
        os.utime(folder / path, (moment, moment))
    check_survives("clock that jumps", folder, config, calm, str(POTENTIAL))
