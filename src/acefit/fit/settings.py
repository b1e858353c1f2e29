"""Settings of one minimisation, read from the `fit` section of the configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from acefit.errors import FitError
from acefit.fit.loss import LossSettings
from acefit.fit.restarts import Perturbation
from acefit.fit.stopping import DEFAULT_PATIENCE

log = logging.getLogger(__name__)

LOSS_KEYS = {
    "L1_coeffs": "l1",
    "L2_coeffs": "l2",
    "w0_rad": "w0",
    "w1_rad": "w1",
    "w2_rad": "w2",
    "w_orth": "w_orth",
    "kappa_stress": "kappa_stress",
}


@dataclass(frozen=True)
class FitSettings:
    """Settings of one minimisation.

    Attributes
    ----------
    optimizer, maxiter, options : see `acefit.fit.optimizers.minimize`
    trainable : see `acefit.basis.trainable.trainable_mask`
    perturbation : what happens to the start of later cycles
    train_threshold, test_threshold, patience : early stopping
    display_step : iterations between evaluations of the test set
    loss : weights of the terms; tables : whether radial functions are interpolated
    callbacks : names of user functions; stop_on_callback_error : whether their errors end the fit
    max_memory : bytes allowed, None: any
    stream : auto, always or never; whether the pairs are kept in files
    pair_folder : where these files are, None: the pairs are in memory; set by `acefit.fit.run.run_fit`
    """

    optimizer: str = "BFGS"
    maxiter: int = 100
    options: Mapping[str, Any] | None = None
    trainable: Any = None
    perturbation: Perturbation = field(default_factory=Perturbation)
    train_threshold: float | None = None
    test_threshold: float | None = None
    patience: int = DEFAULT_PATIENCE
    display_step: int = 20
    loss: LossSettings = field(default_factory=LossSettings)
    tables: bool = False
    callbacks: tuple[Any, ...] = ()
    stop_on_callback_error: bool = False
    max_memory: float | None = None
    stream: str = "auto"
    pair_folder: Path | None = None

    @classmethod
    def from_section(
        cls,
        fit: Mapping[str, Any],
        kappa_auto: float | None = None,
        max_memory: float | None = None,
        stream: str = "auto",
    ) -> FitSettings:
        """Read the `fit` section of the configuration.

        Parameters
        ----------
        fit : mapping
            Section with pacemaker's names, and `display_step` and `tables` of the `backend` section; missing keys have their
            defaults.
        kappa_auto : float or None
            Value of `kappa: auto`; None if the data give none.
        max_memory : float or None
            MB the fit may take; None: no limit.
        stream : str
            auto, always or never.
        """
        names = fit.get("callbacks") or ()
        return cls(
            optimizer=fit.get("optimizer", cls.optimizer),
            maxiter=int(fit.get("maxiter", cls.maxiter)),
            options=dict(fit.get("options") or {}),
            trainable=fit.get("trainable_parameters"),
            perturbation=Perturbation.from_settings(fit),
            train_threshold=fit.get("min_relative_train_loss_per_iter"),
            test_threshold=fit.get("min_relative_test_loss_per_iter"),
            patience=int(fit.get("early_stopping_patience", cls.patience)),
            display_step=int(fit.get("display_step", cls.display_step)),
            loss=loss_settings(fit.get("loss") or {}, kappa_auto),
            tables=bool(fit.get("tables", False)),
            callbacks=(names,) if isinstance(names, str) else tuple(names),
            stop_on_callback_error=fit.get("callback_errors") == "stop",
            max_memory=None if max_memory is None else 1e6 * max_memory,
            stream=stream,
        )

    def key(self) -> list[Any]:
        """What the path of the optimiser depends on; more iterations continue the same path, so maxiter is not among it."""
        stopping = [self.train_threshold, self.test_threshold, self.patience, self.display_step]
        return [self.optimizer, dict(self.options or {}), *stopping, asdict(self.loss), self.tables]


def loss_settings(section: Mapping[str, Any], kappa_auto: float | None = None) -> LossSettings:
    """Read the `fit: loss` section.

    Parameters
    ----------
    section : mapping
        With pacemaker's names; missing keys are zero.
    kappa_auto : float or None
        Value of `kappa: auto`; None if the data give none.

    Raises
    ------
    FitError
        If `kappa: auto` is asked for and the data give none.
    """
    values = {field: float(section.get(name, 0.0)) for name, field in LOSS_KEYS.items()}
    kappa = section.get("kappa", 0.0)
    if kappa == "auto":
        if kappa_auto is None:
            raise FitError(
                "fit.loss.kappa: auto needs energies and forces that differ in the training set; give a number from 0 to 1"
            )
        log.info("kappa: auto gives %.6f", kappa_auto)
        kappa = kappa_auto
    return LossSettings(kappa=float(kappa), **values)
