import pytest

from acefit.config.potential_section import PotentialDefinition, PotentialFile, SingleElementPotential, potential_form

OLD = {"element": "Cu", "npot": "FinnisSinclair", "fs_parameters": [1, 1], "ndensity": 1, "rcut": 5, "radparameters": [5.25]}


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"filename": "a"}, "PotentialFile"),
        ({"element": "Cu"}, "SingleElementPotential"),
        ({"elements": ["Cu"]}, "PotentialDefinition"),
        (PotentialFile(filename="a"), "PotentialFile"),
        (5, "PotentialDefinition"),
    ],
)
def test_potential_form__is_told_by_the_keys(value, form):
    assert potential_form(value) == form


def test_single_element_definition__puts_keys_where_they_belong():
    old = SingleElementPotential.model_validate(
        {
            **OLD,
            "lmax": [0, 1],
            "nradmax": [3, 1],
            "r_in": 1.0,
            "func_coefs_init": "random",
            "core-repulsion": [1, 2],
            "initial_potential": "x",
        }
    )
    new = old.definition()
    assert new.elements == ["Cu"]
    assert new.initial_potential == "x"
    assert new.embeddings["Cu"].model_dump(exclude_unset=True) == {
        "npot": "FinnisSinclair",
        "fs_parameters": [1, 1],
        "ndensity": 1,
    }
    bond = {"rcut": 5.0, "radparameters": [5.25], "r_in": 1.0, "core_repulsion": [1, 2]}
    assert new.bonds["Cu"].model_dump(exclude_unset=True) == bond
    shape = {"nradmax_by_orders": [3, 1], "lmax_by_orders": [0, 1], "coefs_init": "random"}
    assert new.functions.shapes["Cu"].model_dump(exclude_unset=True) == shape


def test_single_element_definition__prefers_the_new_names():
    old = SingleElementPotential.model_validate({**OLD, "nradmax": [3], "nradmax_by_orders": [4], "lmax_by_orders": [0]})
    assert old.definition().functions.shapes["Cu"].nradmax_by_orders == [4]


def test_functions__separate_limit_and_shapes():
    functions = {"number_of_functions_per_element": 7, "ALL": {"nradmax_by_orders": [2], "lmax_by_orders": [0]}}
    definition = PotentialDefinition.model_validate({"elements": ["Al"], "functions": functions})
    assert definition.functions.number_of_functions_per_element == 7
    assert definition.functions.shapes["ALL"].nradmax_by_orders == [2]
