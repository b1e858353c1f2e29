"""Whatever a file contains, a reader gives a result or one clear error, soon, with little memory and without running code.

More examples: ACEFIT_FUZZ_EXAMPLES=5000 pytest tests/fuzz; coverage-guided: make fuzz.
"""

import os
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from fuzz import strategies
from fuzz.targets import TARGETS, samples, sealed, survives

pytestmark = pytest.mark.filterwarnings("ignore")
EXAMPLES = int(os.environ.get("ACEFIT_FUZZ_EXAMPLES", "0"))

KINDS = {
    "pickle of operations": ("pickle", strategies.PROGRAMS),
    "pickle of a frame": ("pickle", strategies.frames_of_anything()),
    "pickle of atoms": ("pickle", strategies.odd_atoms()),
    "pickle of weights": (
        "weights pickle",
        strategies.frames_of_anything(lambda: pd.DataFrame({"w_energy": [1.0, 2.0], "w_forces": [[1.0], [2.0]]})),
    ),
    "xyz of tokens": ("xyz", strategies.XYZ_TEXTS),
    "database of values": ("database", strategies.databases()),
    "table of structures": ("parquet structures", strategies.parquet_tables(0)),
    "table of atoms": ("parquet atoms", strategies.parquet_tables(1)),
    "configuration of keys": ("configuration", strategies.configurations()),
    "configuration of tokens": ("configuration", strategies.YAML_TEXTS),
    "potential of values": ("potential", strategies.potentials()),
    "potential of tokens": ("potential", strategies.YAML_TEXTS),
    "artifact of tokens": ("artifact", strategies.YAML_TEXTS.map(lambda text: sealed(text.decode("utf-8", "replace")))),
    **{
        f"{name}, rearranged": (name, strategies.rearranged(name))
        for name in (*(name for name in TARGETS if name.startswith("output of ")), "trajectory of CP2K", "forces of CP2K")
    },
    "log of records": ("evaluation log", strategies.LOGS),
}


def try_out(name, strategy, examples):
    """Read many files made by a strategy."""

    @settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def check(content):
        with tempfile.TemporaryDirectory() as folder:
            survives(TARGETS[name], content, Path(folder))

    check()


@pytest.mark.parametrize("name", TARGETS)
def test_reader__reads_the_valid_files_that_are_mutated(name, tmp_path):
    assert [survives(TARGETS[name], content, tmp_path) for content in samples(TARGETS[name])] == [None] * len(
        samples(TARGETS[name])
    )


@pytest.mark.parametrize("name", TARGETS)
def test_reader__survives_mutated_files(name):
    try_out(name, strategies.mutated(name), 20)


@pytest.mark.parametrize("kind", KINDS)
def test_reader__survives_what_is_built_like_its_files(kind):
    try_out(*KINDS[kind], 15)
