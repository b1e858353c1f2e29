import pytest

from acefit.config.schema_text import describe, find_node


@pytest.mark.parametrize(
    ("loc", "text"),
    [
        (("seed",), "integer from 0 to 4294967295"),
        (("fit", "loss", "kappa"), "'auto', or number from 0 to 1"),
        (("fit", "ladder_step"), "positive integer, or number above 0 and below 1, or list"),
        (("fit", "repulsion"), "'auto'"),
        (("fit", "callbacks"), "text, or list (entries: text)"),
        (("fit", "weighting", "EnergyBasedWeightingPolicy", "DEup"), "positive number"),
        (("potential", "PotentialDefinition", "bonds", "ALL", "core-repulsion"), "list (2 entries: number)"),
        (("potential", "PotentialDefinition", "functions", "UNARY", "coefs_init"), "one of 'zero', 'random'"),
        (("potential", "PotentialFile", "reset"), "true or false"),
        (("data", "reference_energy", "dict[str,float]", "Al"), "number"),
        (("data", "seed"), "anything"),
        (("fit", "options", "gtol"), "true or false, or number"),
        (("fit",), "map of keys"),
    ],
)
def test_describe__says_what_is_valid(loc, text):
    assert describe(find_node(loc)).startswith(text)


def test_find_node__knows_no_unknown_key():
    assert find_node(("fit", "loss", "zebra")) is None
