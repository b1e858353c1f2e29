"""A real Slurm of one node on the loopback address, started and stopped by the tests that need one.

It needs Debian's `slurm-wlm` and `munge`, root, and a machine that is not part of a cluster: Slurm's programs find their settings
in /etc/slurm/slurm.conf, which is a link to the file of the test while it runs.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTINGS = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sinfo", "srun", "sbatch", "scontrol")
PARTITION = "main"


def missing() -> str:
    """What keeps this machine from running a Slurm of its own; empty if nothing does."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)} here (Debian: apt-get install slurm-wlm munge)"
    if os.geteuid() != 0:
        return "starting Slurm needs root"
    if os.path.lexists(SETTINGS):
        return f"{SETTINGS} exists: this machine has a Slurm of its own"
    return ""


def settings(folder: Path) -> str:
    """One node with two cores, no accounting; jobs that exceed their limit are ended after two seconds."""
    host = socket.gethostname().split(".")[0]
    return f"""\
ClusterName=acefit
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/finished.txt
ReturnToService=2
MpiDefault=none
KillWait=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000
PartitionName={PARTITION} Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def _start(folder: Path) -> None:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    (folder / "slurm.conf").write_text(settings(folder))
    SETTINGS.parent.mkdir(exist_ok=True)
    SETTINGS.symlink_to(folder / "slurm.conf")
    files = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munged.pid", "log-file": "munged.log"}
    options = [f"--{name}={folder / file}" for name, file in files.items()]
    # `force`: folders of tests lie below one that everybody may write to
    for command in (["munged", "--force", f"--seed-file={folder}/seed", *options], ["slurmctld"], ["slurmd"]):
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(condition, what: str, seconds: float = 60.0) -> None:
    """Wait until condition() holds; TimeoutError that says what did not happen."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.2)


def answer(*command: str) -> str:
    """What one of Slurm's programs prints."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()


def node_state() -> str:
    """State of the node, such as idle or mixed."""
    return answer("sinfo", "--noheader", "--format=%T")


def set_node(state: str) -> None:
    """Drain or resume the node."""
    host = socket.gethostname().split(".")[0]
    subprocess.run(["scontrol", "update", f"nodename={host}", f"state={state}", "reason=test"], check=True, timeout=60)


def _stop(folder: Path) -> None:
    for name in ("slurmd", "slurmctld", "munged"):
        path = folder / f"{name}.pid"
        if path.exists():
            subprocess.run(["kill", path.read_text().strip()], check=False, stderr=subprocess.DEVNULL)
            wait_for(lambda path=path: not path.exists(), f"end of {name}", 15)


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[Path]:
    """Run Slurm with its files in a folder; the folder's `finished.txt` lists all jobs that ended."""
    try:
        _start(folder)
        wait_for(lambda: node_state() == "idle", "a node that is ready")
        yield folder
    finally:
        if SETTINGS.is_symlink():
            answer("scancel", "--full", "--user=root")
            _stop(folder)
            SETTINGS.unlink()
