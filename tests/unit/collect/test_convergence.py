import gzip
import io
from pathlib import Path

import pytest

import vasp_files
from acefit.collect.convergence import Verdict, judge, judge_espresso, judge_outcar


def test_judge_outcar__a_loop_that_ended_well(labelled):
    assert judge_outcar(io.StringIO(vasp_files.outcar(labelled()))) == Verdict()


def test_judge_outcar__a_loop_that_was_aborted(labelled):
    text = vasp_files.outcar(labelled(2), loop_ends=vasp_files.NOT_REACHED)
    assert judge_outcar(io.StringIO(text)).unconverged == {0, 1}


def test_judge_outcar__older_versions_only_make_all_iterations(labelled):
    assert judge_outcar(io.StringIO(vasp_files.outcar(labelled(2), nelm=7, loop_ends=""))).unconverged == {0, 1}
    assert judge_outcar(io.StringIO(vasp_files.outcar(labelled(2), nelm=8, loop_ends=""))).unconverged == set()


def test_judge_outcar__the_end_is_missing(labelled):
    assert not judge_outcar(io.StringIO(vasp_files.outcar(labelled(), finished=False))).finished


@pytest.mark.parametrize(("change", "unconverged"), [(1e-6, set()), (1e-2, {0, 1})])
def test_judge__vasprun_by_its_last_change(tmp_path, labelled, change, unconverged):
    path = tmp_path / "vasprun.xml"
    path.write_text(vasp_files.vasprun(labelled(2), nelm=3, last_change=change))
    assert judge(path, "vasp-xml") == Verdict(unconverged=frozenset(unconverged))
    path.write_text(vasp_files.vasprun(labelled(2), finished=False))
    assert not judge(path, "vasp-xml").finished


def test_judge_espresso__steps_that_failed():
    begin = "     Self-consistent Calculation\n"
    step = begin + "!    total energy              =     -40.4 Ry\n     convergence has been achieved in   5 iterations\n"
    failed = begin + "     convergence NOT achieved after 100 iterations: stopping\n"
    assert judge_espresso(io.StringIO(step + failed + "JOB DONE.\n")) == Verdict(True, frozenset(), lost=1)
    kept = failed + "!    total energy              =     -40.4 Ry\n"
    assert judge_espresso(io.StringIO(step + kept + step + "JOB DONE.\n")) == Verdict(True, frozenset({1}))
    later = begin + "!    total energy              =     -40.4 Ry\n     convergence NOT achieved after 100 iterations\n"
    assert judge_espresso(io.StringIO(later + step + "JOB DONE.\n")) == Verdict(True, frozenset({0}))
    assert not judge_espresso(io.StringIO(step)).finished


def test_judge_espresso__results_that_are_called_converged_and_are_not():
    """Of pw.x 6.7 with scf_must_converge=.false. and three iterations."""
    with gzip.open(Path(__file__).parents[2] / "data" / "pw-loose.out.gz", "rt") as lines:
        assert judge_espresso(lines) == Verdict(True, frozenset({0, 1, 2}))


def test_judge__other_programs_by_their_words(tmp_path):
    path = tmp_path / "aims.out"
    path.write_text("Invoking FHI-aims ...\n          Have a nice day.\n")
    assert judge(path, "aims-output") == Verdict()
    path.write_text("Invoking FHI-aims ...\n** Self-consistency cycle not converged.\n")
    assert judge(path, "aims-output") == Verdict(finished=False, failed=True)
    assert judge(path, "traj") == Verdict()
