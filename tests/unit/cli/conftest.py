from pathlib import Path

import pytest


@pytest.fixture
def demo_file():
    return Path(__file__).parents[2] / "data" / "demo.yaml"
