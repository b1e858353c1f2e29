import numpy as np
import pytest

from acefit.basis.expansion import build_target
from acefit.basis.trainable import trainable_mask
from acefit.errors import ConfigError
from acefit.potential.parameters import parameter_layout
from bases import section, shape


@pytest.fixture(scope="module")
def potential():
    return build_target(section("Al Ni", {"ALL": shape([5, 2, 1], [0, 2, 1])}))


@pytest.mark.parametrize(
    ("spec", "n_radial", "n_func"),
    [
        (None, 90, 200),
        ([], 90, 200),
        ("ALL", 90, 200),
        ("UNARY", 60, 64),
        ("BINARY", 30, 136),
        ("AlNi", 30, 68),
        ("NiAl", 0, 68),
        (["AlNi", "NiAl"], 30, 136),
        ({"Al": "all", "NiAl": "radial"}, None, None),
        ("func", 0, 200),
        ("radial", 90, 0),
        (["func", "radial"], 90, 200),
        ({"ALL": "func", "UNARY": ["radial"], "Ni": "all"}, 60, 136 + 32),
    ],
)
def test_trainable_mask__has_the_known_counts(potential, spec, n_radial, n_func):
    layout = parameter_layout(potential)
    mask = trainable_mask(potential, spec, layout)
    counts = int(mask[: layout.n_radial].sum()), int(mask[layout.n_radial :].sum())
    assert counts == ((30, 32) if n_radial is None else (n_radial, n_func))


def test_trainable_mask__marks_the_functions_of_the_block(potential):
    layout = parameter_layout(potential)
    mask = trainable_mask(potential, {"NiAl": "func"})
    for slot, function in zip(layout.slots, layout.functions(), strict=True):
        expected = function.elements[0] == "Ni" and "Al" in function.elements
        np.testing.assert_array_equal(mask[slot.offset : slot.offset + slot.n_coeffs], expected)


def test_trainable_mask__accepts_unsorted_tails_and_drops_radial_beyond_two_elements():
    potential = build_target(section("Al Cu Ni", {"ALL": shape([2, 1], [0, 1])}))
    assert trainable_mask(potential, "NiCuAl").sum() == trainable_mask(potential, {"NiAlCu": "func"}).sum() > 0
    with pytest.raises(ConfigError, match="leaves nothing to train"):
        trainable_mask(potential, {"TERNARY": "radial"})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("TERNARY", "leaves nothing to train"),
        ("BINERY", "names B, .* did you mean BINARY"),
        ({"Al": "core"}, "'core' is none of func, radial and all"),
        ([3], "expected a keyword, a block or a map of them, got 3"),
    ],
)
def test_trainable_mask__explains_what_is_wrong(potential, spec, message):
    with pytest.raises(ConfigError, match=f"fit.trainable_parameters.*{message}"):
        trainable_mask(potential, spec)


def test_trainable_mask__names_the_blocks_there_are():
    potential = build_target(section("Al Cu Ni", {"UNARY": shape([1], [0])}))
    with pytest.raises(ConfigError, match="has no block Al Cu Ni; it has Al, Al Cu"):
        trainable_mask(potential, "AlCuNi")
