"""Settings of a minimisation."""

import logging

import pytest

from acefit.errors import FitError
from acefit.fit.loss import LossSettings
from acefit.fit.restarts import Perturbation
from acefit.fit.settings import FitSettings, loss_settings


def test_from_section__reads_the_names_of_the_configuration():
    found = FitSettings.from_section(
        {
            "optimizer": "L-BFGS-B",
            "maxiter": 7,
            "options": {"gtol": 1e-5},
            "trainable_parameters": "func",
            "noise_relative_sigma": 0.1,
            "min_relative_train_loss_per_iter": 1e-4,
            "min_relative_test_loss_per_iter": None,
            "early_stopping_patience": 30,
            "display_step": 4,
            "tables": True,
            "callbacks": "module.function",
            "callback_errors": "stop",
            "loss": {"kappa": 0.2, "L1_coeffs": 1e-8, "w2_rad": 1e-7, "kappa_stress": 3.0},
        },
        max_memory=500.0,
    )
    assert found == FitSettings(
        optimizer="L-BFGS-B",
        maxiter=7,
        options={"gtol": 1e-5},
        trainable="func",
        perturbation=Perturbation(noise_relative_sigma=0.1),
        train_threshold=1e-4,
        patience=30,
        display_step=4,
        tables=True,
        callbacks=("module.function",),
        stop_on_callback_error=True,
        loss=LossSettings(kappa=0.2, l1=1e-8, w2=1e-7, kappa_stress=3.0),
        max_memory=5e8,
    )


def test_from_section__defaults_are_those_of_the_configuration():
    found = FitSettings.from_section({})
    assert (found.optimizer, found.maxiter, found.patience, found.display_step) == ("BFGS", 100, 200, 20)


def test_key__leaves_out_what_does_not_change_the_path():
    same = [{"maxiter": 5}, {"maxiter": 9}, {"callbacks": ["a.b"]}]
    assert len({repr(FitSettings.from_section(fit).key()) for fit in same}) == 1
    other = [{"loss": {"kappa": 0.1}}, {"options": {"c1": 1e-3}}, {"optimizer": "CG"}, {"tables": True}, {"display_step": 3}]
    assert len({repr(FitSettings.from_section(fit).key()) for fit in (*same, *other)}) == 1 + len(other)


def test_loss_settings__automatic_kappa_comes_from_the_data(caplog):
    with caplog.at_level(logging.INFO):
        assert loss_settings({"kappa": "auto"}, 0.125).kappa == 0.125
    assert "kappa: auto gives 0.125" in caplog.text
    with pytest.raises(FitError, match=r"kappa: auto needs energies and forces that differ"):
        loss_settings({"kappa": "auto"}, None)
