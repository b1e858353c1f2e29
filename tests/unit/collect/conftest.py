import gzip
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

OUTPUTS = Path(__file__).parents[2] / "data" / "collect"


@pytest.fixture
def outputs():
    return OUTPUTS


@pytest.fixture
def changed(tmp_path):
    """Write an output of the tests plain, with texts replaced and up to the last place of a text; gives its path."""

    def write(packed, *changes, end=None):
        text = gzip.decompress(packed.read_bytes()).decode()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / packed.with_suffix("").name
        path.write_text(text[: None if end is None else text.rindex(end)])
        return path

    return write


@pytest.fixture
def labelled():
    """Some steps of a crystal with made-up results."""

    def make(n_steps=3, symbols="AlNi", seed=0):
        random = np.random.default_rng(seed)
        steps = []
        for k in range(n_steps):
            atoms = bulk(symbols, "cesiumchloride", a=2.9 + 0.05 * k)
            atoms.positions += random.normal(scale=0.03, size=atoms.positions.shape)
            energy = -10.0 - 0.1 * k
            results = {
                "energy": energy,
                "free_energy": energy - 0.25,
                "forces": random.normal(size=(2, 3)),
                "stress": random.normal(scale=0.01, size=6),
            }
            atoms.calc = SinglePointCalculator(atoms, **results)
            steps.append(atoms)
        return steps

    return make
