"""Fault points: silent unless armed."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from acefit.faults import armed

WALK = "from acefit.faults import fault_point\nfor k in range(3):\n    fault_point('a.txt/begin')\nprint('alive')"


def walk(setting, environment):
    command = [sys.executable, "-c", WALK]
    return subprocess.run(command, env={**environment, "ACEFIT_FAULT": setting}, capture_output=True, text=True, check=False)


def test_armed__nothing_happens_without_a_setting():
    for setting in (None, ""):
        assert armed(setting)("a.txt/begin") is None


def test_armed__lists_the_points_that_are_passed(tmp_path):
    passes = armed(f"list:{tmp_path / 'points'}")
    for name in ("a", "b/begin", "a"):
        passes(name)
    assert (tmp_path / "points").read_text() == "a\nb/begin\na\n"


@pytest.mark.parametrize(("action", "error"), [("full", OSError), ("memory", MemoryError)])
def test_armed__acts_when_a_point_is_passed_for_the_nth_time(action, error):
    passes = armed(f"a:b:2:{action}")
    passes("other")
    passes("a:b")
    with pytest.raises(error) as caught:
        passes("a:b")
    assert getattr(caught.value, "errno", errno.ENOSPC) == errno.ENOSPC
    passes("a:b")


def test_armed__kills_the_process():
    assert walk("a.txt/begin:3:kill", os.environ).returncode == -signal.SIGKILL
    assert walk("a.txt/begin:4:kill", os.environ).stdout == "alive\n"


@pytest.mark.parametrize("setting", ["a", "a:1", "a:x:kill", "a:1:explode"])
def test_armed__refuses_what_it_does_not_understand(setting):
    with pytest.raises(ValueError, match="give list:<file> or <name>:<n>:<action>"):
        armed(setting)
