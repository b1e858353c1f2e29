import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from acefit.analysis import figure_set
from acefit.analysis.catalog import FIGURES
from acefit.potential.model import Potential

NOTHING = pd.DataFrame()


def draw(predictions):
    """All figures of a run that has predictions only, by name."""
    run = figure_set.RunData("x", Potential(("Si",), {}, {}, ()), predictions, NOTHING, NOTHING, NOTHING)
    return dict(figure_set.draw_all(run))


@pytest.fixture(scope="module")
def drawn(make_predictions):
    return draw(make_predictions())


def test_draw_all__follows_the_catalogue(drawn):
    assert list(drawn) == list(FIGURES)


def test_draw_all__says_why_something_is_absent(drawn):
    assert drawn["convergence-loss"] == "no iterations were recorded"
    assert drawn["ladder"] == "no fit cycles were recorded"
    assert drawn["radial-basis"] == "the potential has no bonds"
    assert drawn["coefficients"] == "the potential has no functions"
    assert drawn["timing-stages"] == "no benchmark files were given"
    assert drawn["timing-evaluations"] == "no fit cycles were recorded"


def test_draw_all__figures_of_predictions_are_there(drawn):
    shown = {name for name, figure in drawn.items() if isinstance(figure, Figure)}
    assert {"train-ef-pairplots", "test-e-de-dist", "train-stress-pairplots", "group-errors", "weights"} <= shown


def test_draw_all__without_stresses_and_test_set(make_predictions):
    drawn = draw(make_predictions(has_stress=False, subsets=["train"] * 4, counts=[1, 2, 2, 3]))
    assert drawn["train-stress-pairplots"] == "the training set has no reference stresses"
    assert {drawn[name] for name in FIGURES if name.startswith("test-")} == {"no test set"}


def test_draw_all__without_references_everything_about_errors_is_absent(predictions):
    predictions.structures["energy_per_atom"] = np.nan
    predictions.structures["nn_min"] = np.nan
    drawn = draw(predictions._replace(force=np.full_like(predictions.force, np.nan)))
    assert drawn["train-e-de-dist"] == "the training set has no reference energies"
    assert drawn["test-f-df-dist"] == "the test set has no reference forces"
    assert drawn["train-e-de-nn"].startswith("the training set has no reference energies")
