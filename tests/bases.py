"""Small inputs and potentials that several test modules build on."""

from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
TWO_ELEMENTS = DATA / "two_elements.yaml"

EMBEDDINGS = {"ALL": {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": [1, 1, 1, 0.5], "ndensity": 2}}
BONDS = {"ALL": {"radbase": "SBessel", "radparameters": [5.25], "rcut": 5, "dcut": 0.01}}


def section(symbols: str, shapes: dict[str, Any], **others: Any) -> dict[str, Any]:
    """A `potential:` section; others replace or add keys."""
    return {"elements": symbols.split(), "embeddings": EMBEDDINGS, "bonds": BONDS, "functions": shapes, **others}


def shape(n: list[int], l: list[int], **others: Any) -> dict[str, Any]:
    """Function settings of a block."""
    return {"nradmax_by_orders": n, "lmax_by_orders": l, **others}
