import subprocess
import sys

import pytest
from pydantic import ValidationError

from acefit.config.model import Config
from acefit.config.potential_section import PotentialDefinition, SingleElementPotential

HEAVY = ("numpy", "numba", "scipy", "pandas", "ase", "pyarrow")
OLD = {"element": "Cu", "npot": "FinnisSinclair", "fs_parameters": [1, 1], "ndensity": 1, "rcut": 5, "radparameters": [5.25]}


def test_importing_the_configuration__loads_no_heavy_package():
    code = f"import sys, acefit.config.loading, acefit.config.stages; print([m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_basis__converts_the_old_form():
    config = Config.model_validate({"potential": {**OLD, "nradmax": [3], "lmax": [0]}, "data": "a"})
    assert isinstance(config.potential, SingleElementPotential)
    assert isinstance(config.basis, PotentialDefinition)


def test_config__cannot_be_changed():
    config = Config.model_validate({"potential": "a", "data": "b"})
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 3
