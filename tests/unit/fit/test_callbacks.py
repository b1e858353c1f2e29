"""User callbacks."""

import logging

import pytest

from acefit.errors import FitError
from acefit.fit.callbacks import Callbacks, load_callbacks
from acefit.potential.model import Potential

POTENTIAL = Potential((), {}, {}, ())


def write_module(folder, name, text):
    (folder / f"{name}.py").write_text(text)


def test_load_callbacks__imports_from_the_folders(tmp_path):
    write_module(tmp_path, "users_own_one", "def note(**state):\n    return state\n")
    functions = load_callbacks(["users_own_one.note"], [tmp_path])
    assert functions["users_own_one.note"](a=1) == {"a": 1}


def test_load_callbacks__takes_callables():
    assert list(load_callbacks([len])) == ["len"]


def test_load_callbacks__names_what_is_wrong(tmp_path):
    write_module(tmp_path, "users_own_two", "constant = 3\n")
    write_module(tmp_path, "users_own_three", "import no_such_module_anywhere\n")
    with pytest.raises(FitError, match=r"'note' names no function; write module\.function"):
        load_callbacks(["note"], [tmp_path])
    with pytest.raises(FitError, match=r"'users_own_three\.note' cannot be imported \(ModuleNotFoundError.*looked in"):
        load_callbacks(["users_own_three.note"], [tmp_path])
    with pytest.raises(FitError, match=r"users_own_two .* has no function 'constant'"):
        load_callbacks(["users_own_two.constant"], [tmp_path])


def test_callbacks__get_documented_arguments_from_zero():
    seen = []

    def plain(basis_config, current_fit_iteration, current_fit_cycle, current_ladder_step):
        seen.append((basis_config, current_fit_iteration, current_fit_cycle, current_ladder_step))

    def with_metrics(metrics, **state):
        seen.append(metrics)

    reason = Callbacks({"plain": plain, "more": with_metrics}, cycle=2, step=3).call(POTENTIAL, 1, {"loss": 0.5})
    assert reason is None
    assert seen == [(POTENTIAL, 0, 2, 3), {"loss": 0.5}]


def test_callbacks__errors_are_logged_with_traceback_and_the_fit_goes_on(caplog):
    called = []

    def broken(**state):
        raise ValueError("no good")

    callbacks = Callbacks({"broken": broken, "fine": lambda **state: called.append(1)}, cycle=0, step=0)
    with caplog.at_level(logging.WARNING):
        assert [callbacks.call(POTENTIAL, k, {}) for k in (1, 2)] == [None, None]
    assert called == [1, 1]
    assert "the callback broken failed after iteration 1: ValueError: no good" in caplog.text
    assert 'raise ValueError("no good")' in caplog.text
    assert [record.file_only for record in caplog.records] == [False, True]


def test_callbacks__errors_may_stop_the_fit():
    def broken(**state):
        raise ValueError("no good")

    with pytest.raises(FitError, match="callback broken failed after iteration 7: ValueError: no good; mend it"):
        Callbacks({"broken": broken}, cycle=0, step=0, stop_on_error=True).call(POTENTIAL, 7, {})


def test_callbacks__stop_iteration_ends_the_minimisation_after_all_are_called():
    called = []

    def enough(**state):
        raise StopIteration("good enough")

    callbacks = Callbacks({"enough": enough, "fine": lambda **state: called.append(1)}, cycle=0, step=0)
    assert callbacks.call(POTENTIAL, 1, {}) == "stopped by callback enough: good enough"
    assert called == [1]


def test_callbacks__functions_without_a_signature_get_the_documented_arguments():
    assert Callbacks({"dict": dict}, cycle=0, step=0).call(POTENTIAL, 1, {}) is None
