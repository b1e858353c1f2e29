"""Whether a calculation came to its end, and whether its electrons converged: what the outputs say about it.

Steps are counted as the readers of `acefit.collect.results` give them.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ase import Atoms

VASP_STEP_END = "FREE ENERGIE OF THE ION-ELECTRON SYSTEM"
_NELM = re.compile(r"\bNELM\s*=\s*(\d+)")
_THRESHOLD = re.compile(r"(?:scf convergence threshold|new conv_thr)\s*=\s*(\S+)")
_ACCURACY = re.compile(r"estimated scf accuracy\s*<\s*(\S+)")
_ITERATION = re.compile(r"Iteration\s+\d+\(\s*(\d+)\)")

ENDINGS: dict[str, tuple[str | None, str]] = {
    "gpaw-out": (None, "Did not converge!"),
    "aims-output": ("Have a nice day.", "Self-consistency cycle not converged"),
    "gaussian-out": ("Normal termination of Gaussian", "Convergence failure"),
    "orca-output": ("ORCA TERMINATED NORMALLY", "SCF NOT CONVERGED"),
}
"""Of programs without a function of their own: what stands at the end, and what a calculation that did not converge says."""


class Verdict(NamedTuple):
    """What an output says.

    Attributes
    ----------
    finished : whether the program came to its end
    unconverged : numbers of steps whose electrons did not converge
    lost : number of further steps that did not converge and have no result
    failed : whether some step did not converge and the output does not say which
    """

    finished: bool = True
    unconverged: frozenset[int] = frozenset()
    lost: int = 0
    failed: bool = False


class Outcome(NamedTuple):
    """What was read of an output.

    Attributes
    ----------
    frames : steps with their results in a calculator
    verdict : what the output says about them
    notes : why further steps could not be read
    """

    frames: list[Atoms]
    verdict: Verdict
    notes: tuple[str, ...] = ()


def judge(path: Path, kind: str) -> Verdict:
    """Look through an output; of formats that are not known here nothing is said against them.

    Parameters
    ----------
    path : decompressed
    kind : ASE's name of the format
    """
    if kind == "vasp-xml":
        return _judge_vasprun(path)
    if kind not in ("vasp-out", "espresso-out", *ENDINGS):
        return Verdict()
    with path.open(encoding="utf-8", errors="replace") as lines:
        if kind == "vasp-out":
            return judge_outcar(lines)
        return judge_espresso(lines) if kind == "espresso-out" else _judge_by_words(lines, *ENDINGS[kind])


def judge_outcar(lines: Iterator[str]) -> Verdict:
    """Of VASP's OUTCAR: a step whose loop was not ended by EDIFF, but by the largest number of iterations, did not converge."""
    largest, iteration, step = 60, 0, 0
    reached = refused = finished = False
    unconverged = []
    for line in lines:
        if found := _ITERATION.search(line):
            iteration = int(found[1])
        elif "aborting loop" in line:
            refused = "not reached" in line
            reached = not refused
        elif VASP_STEP_END in line:
            if refused or (not reached and iteration >= largest):
                unconverged.append(step)
            step, iteration, reached, refused = step + 1, 0, False, False
        elif "General timing and accounting" in line:
            finished = True
        elif step == 0 and (given := _NELM.search(line)):
            largest = int(given[1])
    return Verdict(finished, frozenset(unconverged))


def judge_espresso(lines: Iterator[str]) -> Verdict:
    """Of pw.x: a cycle that did not converge says so, and has a result only with scf_must_converge=.false.

    Version 6.7 then says that convergence was achieved all the same; so the accuracy is compared with the threshold.
    """
    step, lost, threshold = -1, 0, float("inf")
    finished = failed = is_result = False
    unconverged = set[int]()
    for line in lines:
        if found := _THRESHOLD.search(line):
            threshold = _fortran(found[1])
        elif "Self-consistent Calculation" in line:
            lost, failed, is_result = lost + failed, False, False
        elif "convergence NOT achieved" in line:
            if is_result:
                unconverged.add(step)
            else:
                failed = True
        elif line.startswith("!") and "total energy" in line:
            step, is_result = step + 1, True
            if failed:
                unconverged.add(step)
            failed = False
        elif is_result and (found := _ACCURACY.search(line)) and _fortran(found[1]) > threshold:
            unconverged.add(step)
        elif "JOB DONE" in line:
            finished = True
    return Verdict(finished, frozenset(unconverged), lost + failed)


def _fortran(text: str) -> float:
    """A number as Fortran writes it."""
    try:
        return float(text.upper().replace("D", "E"))
    except ValueError:
        return float("nan")


def _judge_by_words(lines: Iterator[str], end: str | None, failure: str) -> Verdict:
    """Of other programs, by what stands at their end or says that something failed."""
    finished, failed = end is None, False
    for line in lines:
        finished = finished or (end is not None and end in line)
        failed = failed or failure in line
    return Verdict(finished, failed=failed)


def _judge_vasprun(path: Path) -> Verdict:
    """Of vasprun.xml: a step with NELM iterations whose last one still changed the energy by more than EDIFF did not converge."""
    settings, energies, step = {"NELM": 60.0, "EDIFF": 1e-4}, list[float](), 0
    unconverged, finished = [], False
    try:
        for _, element in ET.iterparse(path):
            name = element.get("name")
            if element.tag == "i" and name in settings and element.text:
                settings[name] = float(element.text)
            elif element.tag == "scstep":
                energies += [float(entry.text or "nan") for entry in element.findall("energy/i[@name='e_fr_energy']")]
                element.clear()
            elif element.tag == "calculation":
                change = abs(energies[-1] - energies[-2]) if len(energies) > 1 else 0.0
                if len(energies) >= settings["NELM"] and change > settings["EDIFF"]:
                    unconverged.append(step)
                step, energies = step + 1, []
                element.clear()
            finished = element.tag == "modeling"
    except ET.ParseError:
        finished = False
    return Verdict(finished, frozenset(unconverged))
