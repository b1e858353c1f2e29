from pathlib import Path

from acefit.potential.bbasis import read_potential
from acefit.potential.description import describe

DEMO = Path(__file__).parents[2] / "data" / "demo.yaml"


def test_describe__counts_functions_and_parameters():
    description = describe(read_potential(DEMO))
    rows = {(row["element"], row["order"]): row["functions"] for row in description["functions"]}
    assert rows == {("Al", 1): 3, ("Al", 2): 2, ("Al", 3): 2, ("Al", 4): 1, ("Ni", 1): 2, ("Ni", 2): 2}
    assert sum(rows.values()) == description["potential"]["functions"]
    assert {row["element"]: row["densities"] for row in description["embeddings"]} == {"Al": 2, "Ni": 1}
