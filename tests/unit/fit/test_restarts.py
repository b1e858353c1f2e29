"""Starting points of cycles and the best cycle."""

import math

import numpy as np
import pytest

from acefit.artifacts import content_digest
from acefit.errors import DamagedArtifactError, FitError
from acefit.files import write_sealed, write_yaml
from acefit.fit.restarts import Perturbation, cycle_generator, perturb, read_result, select_best

N_RADIAL, N = 2000, 12000


def start():
    x = np.linspace(-2.0, 2.0, N)
    mask = np.ones(N, dtype=bool)
    mask[::5] = False
    return x, mask


def moves(perturbation, cycle=1):
    x, mask = start()
    return x, mask, perturb(x, mask, N_RADIAL, perturbation, cycle_generator(7, 0, cycle))


def test_perturb__relative_noise_scales_with_the_coefficient():
    x, mask, new = moves(Perturbation(noise_relative_sigma=0.1, noise_absolute_sigma=5.0))
    scaled = (new - x)[mask] / np.maximum(np.abs(x[mask]), 0.01)
    assert abs(scaled.std() - 0.1) < 0.003
    assert abs(scaled.mean()) < 0.005
    np.testing.assert_array_equal(new[~mask], x[~mask])


def test_perturb__absolute_noise_has_one_width():
    x, mask, new = moves(Perturbation(noise_absolute_sigma=0.02))
    assert abs((new - x)[mask].std() - 0.02) < 0.0006
    np.testing.assert_array_equal(new[~mask], x[~mask])


def test_perturb__randomising_redraws_trainable_function_coefficients_only():
    x, mask, new = moves(Perturbation(randomize_func_coeffs=0.3, noise_relative_sigma=1.0))
    drawn = np.flatnonzero(mask)[np.flatnonzero(mask) >= N_RADIAL]
    assert abs(new[drawn].std() - 0.3) < 0.01
    assert abs(np.corrcoef(new[drawn], x[drawn])[0, 1]) < 0.05
    rest = np.setdiff1d(np.arange(N), drawn)
    np.testing.assert_array_equal(new[rest], x[rest])


def test_perturb__is_reproducible_and_differs_between_cycles_and_steps():
    noise = Perturbation(noise_absolute_sigma=0.1)
    np.testing.assert_array_equal(moves(noise)[2], moves(noise)[2])
    assert not np.array_equal(moves(noise, 1)[2], moves(noise, 2)[2])
    x, mask = start()
    other = perturb(x, mask, N_RADIAL, noise, cycle_generator(7, 1, 1))
    assert not np.array_equal(moves(noise, 1)[2], other)


def test_cycle_generator__streams_differ_from_each_other_and_from_the_cycle():
    streams = [(), (0,), (1,), (0, 0), (1, 0), (1, 1)]
    draws = [cycle_generator(1, 0, 0, *stream).integers(2**62) for stream in streams]
    assert len(set(draws)) == len(streams)
    assert draws == [cycle_generator(1, 0, 0, *stream).integers(2**62) for stream in streams]
    # what the cycles of earlier runs started from
    assert draws[0] == np.random.default_rng(np.random.SeedSequence([1, 0, 0])).integers(2**62)


def test_perturb__masks_do_not_move_the_numbers_of_others():
    x, mask = start()
    noise = Perturbation(noise_absolute_sigma=0.1)
    all_free = perturb(x, np.ones(N, dtype=bool), N_RADIAL, noise, cycle_generator(7, 0, 1))
    np.testing.assert_array_equal(moves(noise)[2][mask], all_free[mask])


def test_perturb__ignores_the_global_generator():
    np.random.seed(0)  # noqa: NPY002
    first = moves(Perturbation(noise_absolute_sigma=0.1))[2]
    np.random.seed(1)  # noqa: NPY002
    np.testing.assert_array_equal(first, moves(Perturbation(noise_absolute_sigma=0.1))[2])


def test_perturbation__reads_the_section():
    found = Perturbation.from_settings({"noise_relative_sigma": 0.1, "noise_absolute_sigma": None})
    assert found == Perturbation(0.0, 0.1, 0.0)
    assert found.is_random
    assert not Perturbation.from_settings({}).is_random


def test_select_best__takes_the_first_of_the_lowest_finite():
    assert select_best([3.0, 1.0, 1.0]) == 1
    assert select_best([math.nan, 2.0, math.inf]) == 1
    with pytest.raises(FitError, match="none of the 2 cycles ended with a finite loss"):
        select_best([math.nan, math.inf])


def test_read_result__potential_must_be_of_the_same_fit(tmp_path):
    result, potential = tmp_path / "result.yaml", tmp_path / "potential.yaml"
    write_sealed("of this fit\n", potential)
    write_yaml({"loss": 0.5, "potential_sha256": content_digest(potential)}, result)
    assert read_result(result, potential)["loss"] == 0.5
    write_sealed("of another one\n", potential)
    with pytest.raises(DamagedArtifactError, match=r"potential\.yaml is not the potential that .*result\.yaml describes"):
        read_result(result, potential)
