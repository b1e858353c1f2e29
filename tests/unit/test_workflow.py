"""The job context and the digest of a step's code."""

import ast
import errno
import logging
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from acefit import workflow
from acefit.errors import DamagedArtifactError, DataError
from acefit.files import text_digest, write_sealed, write_yaml
from acefit.workflow import (
    available_threads,
    correct_dates,
    damaged_files,
    job_context,
    limit_threads,
    reject,
    step_closure,
    step_digest,
)

PACKAGE = workflow.PACKAGE
CACHED = ("module_imports", "init_content", "other_files", "version")


def fake_job(folder, threads=1):
    return SimpleNamespace(
        rule="fit", wildcards={"step": "00", "cycle": "01"}, log=[str(folder / "logs" / "fit.log")], threads=threads
    )


def steps():
    return sorted(path.stem for path in (PACKAGE / "steps").glob("*.py") if path.stem != "__init__")


# ---------------------------------------------------------------- job context


def test_job_context__sends_records_to_the_log_and_the_terminal(tmp_path, capsys):
    job = fake_job(tmp_path)
    with job_context(job):
        logging.getLogger("acefit.fit").info("iteration %d", 3)
    assert capsys.readouterr().err == "[fit step 00 cycle 01] iteration 3\n"
    assert "INFO acefit.fit - iteration 3" in Path(job.log[0]).read_text()


@pytest.mark.parametrize(
    ("wildcards", "name"),
    [
        ({"run": "silicon", "step": "00", "cycle": "01"}, "fit step 00 cycle 01"),
        ({"run": "silicon/small", "step": "00", "cycle": "01"}, "fit small step 00 cycle 01"),
        ({"dataset": "0123456789", "cutoff": "4.0", "shard": "001", "shards": "002"}, "fit shard 001"),
        ({"run": "silicon/round-00", "job": "01", "jobs": "03"}, "fit round-00 job 01"),
        ({}, "fit"),
    ],
    ids=["one run", "several runs", "shared", "side by side", "plain"],
)
def test_job_context__names_what_tells_jobs_apart(tmp_path, capsys, wildcards, name):
    job = fake_job(tmp_path)
    job.wildcards = wildcards
    with job_context(job):
        logging.getLogger("acefit.fit").info("here")
    assert capsys.readouterr().err == f"[{name}] here\n"


def test_job_context__user_error_is_one_message_without_traceback_on_the_terminal(tmp_path, capsys):
    job = fake_job(tmp_path)
    with pytest.raises(SystemExit) as stop, job_context(job):
        raise DataError("structure 3 of a.xyz has no energy; add one")
    assert stop.value.code == 1
    assert capsys.readouterr().err == "[fit step 00 cycle 01] error: structure 3 of a.xyz has no energy; add one\n"
    assert "Traceback" not in Path(job.log[0]).read_text()


def test_job_context__program_error_leaves_its_traceback_in_the_log(tmp_path, capsys):
    job = fake_job(tmp_path)
    with pytest.raises(SystemExit) as stop, job_context(job):
        raise KeyError("oops")
    assert stop.value.code == 1
    terminal = capsys.readouterr().err
    assert "KeyError: 'oops'" in terminal
    assert job.log[0] in terminal
    assert "Traceback" not in terminal
    assert "Traceback" in Path(job.log[0]).read_text()


def test_job_context__damaged_artifact_is_set_aside(tmp_path, capsys):
    (tmp_path / "split.parquet").write_text("half")
    with pytest.raises(SystemExit) as stop, job_context(fake_job(tmp_path)):
        raise DamagedArtifactError(tmp_path / "split.parquet", "is cut off")
    assert stop.value.code == 1
    assert capsys.readouterr().err == (
        f"[fit step 00 cycle 01] error: {tmp_path}/split.parquet is cut off; set aside as split.parquet.damaged; "
        "give the same command again, which makes it anew\n"
    )
    assert (tmp_path / "split.parquet.damaged").read_text() == "half"


def test_reject__says_when_it_cannot_set_aside(tmp_path):
    text = reject(DamagedArtifactError(tmp_path / "gone", "is cut off"), "it is made anew")
    assert "delete it and run the pipeline again" in text
    assert text.endswith("(it could not be set aside: No such file or directory)")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.yaml"),
            "No space left on device: 'a.yaml'; free some space and give",
        ),
        (
            OSError(errno.EROFS, os.strerror(errno.EROFS), "a.yaml"),
            "make the file system writable and give the same command again",
        ),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "a.yaml"), "restore the permission and give the same command"),
        (MemoryError("1 GB"), r"out of memory (1 GB); end other programs, or set fit.max_memory; finished results are kept"),
    ],
)
def test_job_context__faults_of_the_machine_are_no_errors_of_the_program(tmp_path, capsys, error, message):
    with pytest.raises(SystemExit) as stop, job_context(fake_job(tmp_path)):
        raise error
    assert stop.value.code == 1
    terminal = capsys.readouterr().err
    assert message in terminal
    assert "an error of the program" not in terminal


def write_run(folder):
    """Final potential and ladder of a run, as far as their seals matter."""
    for name in ("potential.yaml", "basis/start.yaml", "basis/steps/step-00.yaml", "basis/steps/step-01.yaml"):
        write_sealed(f"name: {name}\n", folder / name)
    steps = [{"file": name, "sha256": text_digest(f"name: basis/steps/{name}\n")} for name in ("step-00.yaml", "step-01.yaml")]
    write_yaml({"start": {"sha256": text_digest("name: basis/start.yaml\n")}, "steps": steps}, folder / "basis/ladder.yaml")


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("potential.yaml", "potential.yaml"),
        ("basis/ladder.yaml", "basis/ladder.yaml"),
        ("basis/start.yaml", "basis/start.yaml"),
        ("basis/steps/step-01.yaml", "basis/steps"),
    ],
)
def test_damaged_files__are_found_at_the_start(tmp_path, name, named):
    assert list(damaged_files(tmp_path)) == []
    write_run(tmp_path)
    assert list(damaged_files(tmp_path)) == []
    (tmp_path / name).write_text((tmp_path / name).read_text()[:-5])
    assert [error.path for error in damaged_files(tmp_path)] == [str(tmp_path / named)]
    assert name in str(next(damaged_files(tmp_path)))


def test_correct_dates__files_of_the_future_are_dated_now(tmp_path):
    assert correct_dates(tmp_path / "absent") == 0
    now = time.time()
    for name, ahead in {"old": -1e5, "skew": 20.0, "future": 1e5}.items():
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (now + ahead, now + ahead))
    assert correct_dates(tmp_path) == 1
    dates = {path.name: path.stat().st_mtime - now for path in tmp_path.iterdir()}
    assert dates["old"] == pytest.approx(-1e5, abs=1e-3)
    assert dates["skew"] == pytest.approx(20.0, abs=1e-3)
    assert 0 <= dates["future"] < 60


def test_damaged_files__steps_must_be_there_and_be_those_of_the_plan(tmp_path):
    write_run(tmp_path)
    write_sealed("name: of another ladder\n", tmp_path / "basis/steps/step-01.yaml")
    assert "is not the file that the plan of the ladder names" in str(next(damaged_files(tmp_path)))
    (tmp_path / "basis/steps/step-01.yaml").unlink()
    assert "is missing or cannot be read" in str(next(damaged_files(tmp_path)))


def test_job_context__interrupt_ends_with_130(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop, job_context(fake_job(tmp_path)):
        raise KeyboardInterrupt
    assert stop.value.code == 130
    assert "the same command goes on from here" in capsys.readouterr().err


def test_job_context__warnings_are_logged(tmp_path):
    job = fake_job(tmp_path)
    with job_context(job):
        warnings.simplefilter("always")
        warnings.warn("mind the gap", stacklevel=1)
    assert "mind the gap" in Path(job.log[0]).read_text()


def test_job_context__leaves_no_handlers(tmp_path):
    before = list(logging.getLogger().handlers)
    with job_context(fake_job(tmp_path)):
        pass
    assert logging.getLogger().handlers == before


@pytest.mark.parametrize("level", ["debug", "nonsense"])
def test_job_context__level_from_the_environment(tmp_path, capsys, monkeypatch, level):
    monkeypatch.setenv("ACEFIT_LOG_LEVEL", level)
    with job_context(fake_job(tmp_path)):
        logging.getLogger("acefit.fit").debug("detail")
    assert ("detail" in capsys.readouterr().err) == (level == "debug")


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    ).stdout.strip()


def test_limit_threads__does_not_load_numba_and_holds_for_a_later_import():
    code = (
        "import sys; from acefit.workflow import limit_threads; limit_threads(1); early = 'numba' in sys.modules;"
        "import numba; print(early, numba.get_num_threads())"
    )
    assert run_python(code) == "False 1"


def test_limit_threads__sets_a_loaded_numba():
    code = "import numba; from acefit.workflow import limit_threads; print(limit_threads(1), numba.get_num_threads())"
    assert run_python(code) == "1 1"


def test_limit_threads__never_more_than_there_are(monkeypatch):
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    assert limit_threads(10**6) == available_threads()
    assert os.environ["NUMBA_NUM_THREADS"] == str(available_threads())


def test_limit_threads__at_least_one(monkeypatch):
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    assert limit_threads(0) == 1


# ---------------------------------------------------------------- digest, on an invented package


@pytest.fixture
def package(tmp_path):
    """A package with steps a (uses kernel k1 and a table) and b (uses k2, lazily), and a lazy attribute."""
    files = {
        "__init__.py": "__version__ = '1'\n\ndef __getattr__(name):\n    from demo.kernels import k1\n    return k1\n",
        "steps/__init__.py": '"""Steps."""\n',
        "steps/a.py": "import numpy\nfrom demo.kernels.k1 import f\nfrom demo.tables import load\n",
        "steps/b.py": "import json\n\ndef b():\n    from ..kernels import k2\n    return k2\n",
        "steps/c.py": "import typing\nif typing.TYPE_CHECKING:\n    import demo.kernels.k1\nelse:\n    import demo.tables\n",
        "kernels/__init__.py": "",
        "kernels/k1.py": "from demo.kernels.common import one\n\ndef f():\n    return one\n",
        "kernels/k2.py": "two = 2\n",
        "kernels/common.py": "one = 1\n",
        "tables.py": "load = 'table.csv'\n",
        "table.csv": "1,2\n",
        "unused.csv": "3\n",
    }
    root = tmp_path / "demo"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def forget():
    """Sources do not change while a process runs, except here."""
    for function in (step_digest, *(getattr(workflow, f"_{name}") for name in CACHED)):
        function.cache_clear()


def digests(package):
    forget()
    return {name: step_digest(name, package) for name in "abc"}


def moved(package, name, text):
    before = digests(package)
    (package / name).write_text(text)
    after = digests(package)
    return "".join(step for step in before if before[step] != after[step])


def test_step_closure__follows_imports_of_imports(package):
    modules, others = step_closure("a", package)
    assert set(modules) == {
        "demo",
        "demo.steps",
        "demo.steps.a",
        "demo.kernels",
        "demo.kernels.k1",
        "demo.kernels.common",
        "demo.tables",
    }
    assert "numpy" in others


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("kernels/common.py", "one = 3\n", "a"),
        ("kernels/k1.py", "def f():\n    return 7\n", "a"),
        ("kernels/k2.py", "two = 3\n", "b"),
        ("tables.py", "load = 'table.csv'  # changed\n", "ac"),
        ("table.csv", "9,9\n", "ac"),
        ("unused.csv", "9\n", ""),
        ("steps/b.py", "x = 1\n", "b"),
        ("__init__.py", "__version__ = '2'\n", ""),
        ("__init__.py", "SETTING = 1\n", "abc"),
        ("kernels/__init__.py", "SETTING = 1\n", "ab"),
    ],
)
def test_step_digest__moves_for_exactly_the_steps_that_use_the_file(package, name, text, expected):
    assert moved(package, name, text) == expected


def test_step_digest__same_content_written_again_does_not_move_it(package):
    assert moved(package, "kernels/k1.py", (package / "kernels/k1.py").read_text()) == ""


def test_step_digest__notices_another_version_of_an_imported_package(package, monkeypatch):
    before = digests(package)
    monkeypatch.setattr(workflow, "version", lambda name: "0.0")
    after = digests(package)
    forget()
    assert [step for step in before if before[step] != after[step]] == ["a"]


def test_step_digest__optional_package_that_is_absent(package):
    (package / "steps/a.py").write_text("import surely_not_installed_here\n")
    assert list(workflow._versions(step_closure("a", package)[1])) == ["surely_not_installed_here absent"]


def test_step_digest__unknown_step(package):
    with pytest.raises(ValueError, match=r"there is no step 'zzz'"):
        step_digest("zzz", package)


# ---------------------------------------------------------------- digest, on this package


def test_step_digest__an_edited_kernel_moves_what_evaluates_and_not_the_data_steps(tmp_path):
    copy = tmp_path / "acefit"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = {step: step_digest(step, copy) for step in steps()}
    with (copy / "kernels" / "radial.py").open("a") as file:
        file.write("\nEDITED = 1\n")
    forget()
    after = {step: step_digest(step, copy) for step in steps()}
    changed = {step for step in before if before[step] != after[step]}
    assert {"fit", "predict"} <= changed
    assert not changed & {"dataset", "split", "weights", "neighborlists"}


def test_step_digest__every_imported_distribution_is_known():
    """A name whose distribution is called otherwise would silently lose its version."""
    for step in steps():
        absent = [text for text in workflow._versions(step_closure(step)[1]) if text.endswith(" absent")]
        assert absent == [], step


def test_package_inits__import_nothing():
    """Else every step would depend on everything."""
    for path in PACKAGE.rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        names = {alias.name for node in body if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}
        assert names <= {"Any"}, path


def test_step_digest__is_fast():
    forget()
    start = time.process_time()
    for step in steps():
        step_digest(step)
    assert time.process_time() - start < 2.0
