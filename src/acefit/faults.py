"""Fault points: places where a test can kill the process or make a write fail; they do nothing unless `ACEFIT_FAULT` is set.

`ACEFIT_FAULT=list:/path` appends the name of each point that is passed to a file. `ACEFIT_FAULT=<name>:<n>:<action>` acts when a
process passes the point for the n-th time (from 1): `kill` (SIGKILL), `full` (no space left on device), `memory` (out of memory).
"""

import errno
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

VARIABLE = "ACEFIT_FAULT"

ACTIONS = ("kill", "full", "memory")


def _pass(name: str) -> None:
    """Nothing happens."""


def armed(setting: str | None) -> Callable[[str], None]:
    """Function that is called with the name of each fault point, for a value of the variable.

    Raises
    ------
    ValueError
        If the value cannot be understood.
    """
    if not setting:
        return _pass
    if setting.startswith("list:"):
        path = Path(setting.removeprefix("list:"))
        return lambda name: _note(name, path)
    try:
        wanted, number, action = setting.rsplit(":", 2)
        n = int(number)
    except ValueError:
        action = ""
    if action not in ACTIONS:
        raise ValueError(f"{VARIABLE}={setting}: give list:<file> or <name>:<n>:<action>, actions are {', '.join(ACTIONS)}")
    passed: Counter[str] = Counter()

    def act(name: str) -> None:
        passed[name] += 1
        if name == wanted and passed[name] == n:
            _act(action, name)

    return act


def _note(name: str, path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{name}\n")


def _act(action: str, name: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
    raise MemoryError(f"fault point {name}")


fault_point = armed(os.environ.get(VARIABLE))
"""Called with its name where something is written: `<file>/begin`, `<file>/written`, `<file>/renamed` and the like."""
