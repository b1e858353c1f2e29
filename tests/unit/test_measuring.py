"""What the parts of the benchmarks share, and that an evaluation without grouping is one."""

import numpy as np
import pytest

import measure_evaluation
import measuring
from acefit.basis.compiled import compile_potential
from acefit.evaluation.predict import predict_compiled
from models import prepared, random_potential, random_structures


def test_alternate__calls_all_functions_equally_often_and_at_least_as_often_as_asked(monkeypatch):
    calls = []
    monkeypatch.setattr(measuring, "SECONDS_PER_REPEAT", 0.0)
    times = measuring.alternate([lambda: calls.append("a"), lambda: calls.append("b")], 3)
    assert calls == list("abababab")
    assert [len(found) for found in times] == [3, 3]


def test_alternate__calls_fast_functions_more_often(monkeypatch):
    monkeypatch.setattr(measuring, "SECONDS_PER_REPEAT", 10.0)
    (times,) = measuring.alternate([lambda: None], 2)
    assert len(times) == 2 * measuring.MOST


def test_summary__is_scaled():
    assert measuring.summary([3.0, 1.0, 2.0], 10.0) == {"median": 20.0, "minimum": 10.0, "runs": 3}


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.01234, "0.0123"), (1234.5, "1234"), (1e-9, "1.00e-09"), (5e7, "5.00e+07")]
)
def test_format_number__is_readable(value, text):
    assert measuring.format_number(value) == text


def test_ratio__is_that_of_medians_and_of_minima():
    assert measuring.ratio([2.0, 8.0, 6.0], [1.0, 2.0]) == {"median": 4.0, "minimum": 2.0, "runs": 2}


def test_rows_of_all__goes_on_after_an_error_and_says_it_at_the_end():
    row = measuring.Row("lists", "Cu", "time", "s", 1, 1.0, 1.0, 1)

    def failing():
        yield row
        raise RuntimeError("no such potential")

    found = []
    with pytest.raises(RuntimeError, match="no such potential"):
        found.extend(measuring.rows_of_all([failing(), [row, row]]))
    assert found == [row] * 3


def test_run_fresh__says_what_went_wrong():
    with pytest.raises(RuntimeError, match=r"measure_loss.py nothing ended with 2:(.|\n)*invalid choice: 'nothing'"):
        measuring.run_fresh("measure_loss.py", "nothing")


@pytest.fixture
def case():
    potential = random_potential(1)
    compiled = compile_potential(potential)
    return compiled, *prepared(random_structures(potential.elements), potential.cutoff)


def test_without_grouping__gives_the_same_results(case):
    compiled, structures, neighbors = case
    expected = predict_compiled(compiled, compiled.layout.vector(), structures, neighbors, 1)
    with measure_evaluation.without_grouping(*case) as evaluate:
        found = [evaluate(1) for _ in range(2)]
    for result in found:
        np.testing.assert_array_equal(result.forces, expected.forces)
        np.testing.assert_array_equal(result.energies, expected.energies)


def test_without_grouping__refuses_to_measure_something_else(case, monkeypatch):
    monkeypatch.setattr(measure_evaluation, "predict_compiled", lambda *_: None)
    with pytest.raises(RuntimeError, match="no longer calls build_layout once"), measure_evaluation.without_grouping(*case):
        pass
