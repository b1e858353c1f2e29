"""What the workflow needs around a step: the context of a job and the digest of a step's code.

Rules and paths are not here but under `workflow/`; steps know nothing of Snakemake.
"""

import ast
import errno
import hashlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from acefit.errors import AcefitError, ArtifactError, DamagedArtifactError
from acefit.files import read_sealed, read_yaml, set_aside
from acefit.sources import imported_modules, module_file
from acefit.system import memory_entry

PACKAGE = Path(__file__).resolve().parent
"""Folder of the installed package, whose sources enter the digests."""

CLOCK_TOLERANCE = 60.0
"""Seconds by which the clock of a file server may be ahead."""

_SYSTEM_FAULTS = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "make the file system writable",
    errno.EACCES: "restore the permission",
    errno.EPERM: "restore the permission",
    errno.EIO: "look after the disk or its connection",
}
"""Errors of the system that are neither the program's nor the input's fault, and what to do."""

_DISTRIBUTIONS = {"numba": ("numba", "llvmlite"), "yaml": ("PyYAML",)}
"""Distributions behind an imported name, where that is not the one of the same name."""


def available_threads() -> int:
    """Number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_threads(threads: int) -> int:
    """Let numba use at most `threads` threads, in this process and where numba is imported later.

    Snakemake limits OpenMP and BLAS itself, before the process starts; numba takes all processors unless told.
    Steps that do not use numba do not load it.

    Returns
    -------
    int
        The number of threads in force: never more than there are processors.
    """
    number = max(1, min(threads, available_threads()))
    numba = sys.modules.get("numba")
    if numba is None:
        os.environ["NUMBA_NUM_THREADS"] = str(number)
    else:
        number = min(number, int(numba.config.NUMBA_NUM_THREADS))
        numba.set_num_threads(number)
    return number


def _job_name(snakemake: Any) -> str:
    """Stage with the run, where there are several, and what else tells jobs apart for people."""
    wildcards = dict(snakemake.wildcards.items())
    run = str(wildcards.get("run", "")).partition("/")[2]
    told = [f"{key} {wildcards[key]}" for key in ("shard", "step", "cycle", "walk", "job") if key in wildcards]
    return " ".join([str(snakemake.rule), *([run] if run else []), *told])


def _start_logging(path: Path, name: str, continues: bool) -> list[logging.Handler]:
    """Send everything to the file and, without tracebacks, to the terminal."""

    class Tidy(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            mark = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
            return f"[{name}] {mark}{record.getMessage()}"

    path.parent.mkdir(parents=True, exist_ok=True)
    if not continues:
        path.write_text("")
    # Appending, because the processes of a job share the file
    to_file = logging.FileHandler(path, mode="a", encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s - %(message)s"))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setFormatter(Tidy())
    to_terminal.addFilter(lambda record: not getattr(record, "file_only", False))
    level = os.environ.get("ACEFIT_LOG_LEVEL", "INFO").upper()
    root = logging.getLogger()
    root.setLevel(logging.WARNING)  # other packages; ours has its own level
    logging.getLogger("acefit").setLevel(level if level in logging.getLevelNamesMapping() else "INFO")
    logging.captureWarnings(True)
    handlers: list[logging.Handler] = [to_file, to_terminal]
    for handler in handlers:
        root.addHandler(handler)
    return handlers


@contextmanager
def job_context(snakemake: Any, continues: bool = False) -> Iterator[None]:
    """Run the body of a workflow script with the job's log file, threads and tidy errors.

    Log records and tracebacks go to the job's log file; the terminal gets progress lines and, when something is
    wrong, one message. `ACEFIT_LOG_LEVEL` sets the level of detail (default INFO).

    Parameters
    ----------
    snakemake : object
        What Snakemake gives its scripts: rule, wildcards, log, threads.
    continues : bool
        Whether the log has a beginning already.

    Raises
    ------
    SystemExit
        With code 1 after any error, 130 when interrupted, so that Snakemake sees the job fail.
    """
    path = Path(str(snakemake.log[0]))
    name = _job_name(snakemake)
    handlers = _start_logging(path, name, continues)
    logger = logging.getLogger("acefit.workflow")
    start = time.perf_counter()
    try:
        logger.debug("%d threads", limit_threads(int(snakemake.threads)))
        yield
        logger.debug("done in %.1f s", time.perf_counter() - start)
        if peak := memory_entry("VmHWM"):
            logger.debug("%.1f s of the processor, at most %.0f MB of memory", time.process_time(), peak / 1e6)
    except DamagedArtifactError as error:
        logger.error("%s", reject(error, "give the same command again, which makes it anew"))
        logger.debug("raised at", exc_info=True, extra={"file_only": True})
        raise SystemExit(1) from None
    except AcefitError as error:
        logger.error("%s", error)
        logger.debug("raised at", exc_info=True, extra={"file_only": True})
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        logger.error("interrupted; the same command goes on from here")
        raise SystemExit(130) from None
    except MemoryError as error:
        logger.error("out of memory (%s); end other programs, or set fit.max_memory; finished results are kept", error)
        logger.error("traceback", exc_info=True, extra={"file_only": True})
        raise SystemExit(1) from None
    except Exception as error:
        cure = _SYSTEM_FAULTS.get(error.errno or 0) if isinstance(error, OSError) else None
        if cure is not None:
            logger.error("%s; %s and give the same command again: finished results are kept", error, cure)
            raise SystemExit(1) from None
        logger.error("%s: %s (an error of the program, not of your input; traceback in %s)", type(error).__name__, error, path)
        logger.error("traceback", exc_info=True, extra={"file_only": True})
        raise SystemExit(1) from None
    finally:
        logging.captureWarnings(False)
        for handler in handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()


def reject(error: DamagedArtifactError, cure: str) -> str:
    """Set the file that an error names aside, so that Snakemake makes it anew; the text that says so and ends with the cure."""
    try:
        aside = set_aside(error.path)
    except OSError as failure:
        return f"{error} (it could not be set aside: {failure.strerror})"
    return f"{error.path} {error.problem}; set aside as {aside.name}; {cure}"


def correct_dates(folder: Path) -> int:
    """Date files of the future now: a clock that was set leaves them, and Snakemake refuses outputs older than their inputs.

    Parameters
    ----------
    folder : Path
        With all below it; it need not exist.

    Returns
    -------
    int
        Number of files and folders that were dated anew.
    """
    latest = time.time() + CLOCK_TOLERANCE
    late = [path for path in (folder, *folder.rglob("*")) if path.exists() and path.stat().st_mtime > latest]
    for path in late:
        os.utime(path)
    return len(late)


def damaged_files(run: Path) -> Iterator[DamagedArtifactError]:
    """Check the final potential of a run, and its ladder with the potentials it names, which the workflow itself relies on.

    All other files are checked by the stages that read them.

    Parameters
    ----------
    run : Path
        Folder of the run, ``results/<name>``; what is not there yet is no damage.

    Yields
    ------
    DamagedArtifactError
        One per file; for the files of the ladder steps one with the path of their folder, which the basis stage makes as a whole.
    """
    basis = run / "basis"
    if (run / "potential.yaml").exists() and (error := _damage(run / "potential.yaml")):
        yield error
    if not (basis / "ladder.yaml").exists():
        return
    if error := _damage(basis / "ladder.yaml"):
        yield error
        return
    plan = read_yaml(basis / "ladder.yaml")
    if (basis / "start.yaml").exists() and (error := _damage(basis / "start.yaml", plan["start"]["sha256"])):
        yield error
    for step in plan["steps"]:
        if (basis / "steps").exists() and (error := _damage(basis / "steps" / step["file"], step["sha256"])):
            yield DamagedArtifactError(basis / "steps", f"is of no use: {error.path} {error.problem}")
            return


def _damage(path: Path, content: str | None = None) -> DamagedArtifactError | None:
    """What is wrong with a sealed file, whose content may be known by its digest."""
    try:
        found = read_sealed(path)[1]["content"]
    except DamagedArtifactError as error:
        return error
    except ArtifactError:
        return DamagedArtifactError(path, "is missing or cannot be read")
    return None if content in (None, found) else DamagedArtifactError(path, "is not the file that the plan of the ladder names")


def _source(module: str, package: Path) -> Path | None:
    """Source of a module of the package, None if there is no such module (the name is then an attribute)."""
    return module_file(module, package.parent)


@cache
def _module_imports(file: Path, module: str) -> frozenset[str]:
    # The lazy attributes of a package are not used by whoever imports one of its modules
    is_package = file.name == "__init__.py"
    return imported_modules(file.read_bytes(), module, is_package, lazily=not is_package)


@cache
def _init_content(file: Path) -> bytes:
    """What a package's `__init__` executes when one of its modules is imported; not its version, text or functions."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    kept = [node for node in body if not isinstance(node, ast.FunctionDef | ast.Expr | ast.Import | ast.ImportFrom)]
    return "\n".join(t for t in map(ast.unparse, kept) if not t.startswith(("__version__", "__all__"))).encode()


def step_closure(step: str, package: Path = PACKAGE) -> tuple[dict[str, Path], set[str]]:
    """Modules of the package that a step imports, directly or not, and the names of all other modules.

    Parameters
    ----------
    step : str
        Name of the step, e.g. ``fit``.
    package : Path
        Folder of the package.

    Returns
    -------
    modules : dict
        Module name -> source file, with the step itself and the packages above each module.
    others : set of str
        Top-level names of the imported modules of other packages.

    Raises
    ------
    ValueError
        If there is no such step.
    """
    start = f"{package.name}.steps.{step}"
    if _source(start, package) is None:
        raise ValueError(f"there is no step {step!r}: {package / 'steps' / step}.py does not exist")
    modules: dict[str, Path] = {}
    others: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in modules:
            continue
        top = name.partition(".")[0]
        if top != package.name:
            others.add(top)
            continue
        file = _source(name, package)
        if file is None:
            continue
        modules[name] = file
        waiting += _module_imports(file, name)
        waiting.append(name.rpartition(".")[0] or name)
    return modules, others


def _data_files(modules: dict[str, Path], package: Path) -> Iterator[Path]:
    """Files beside the sources that one of the modules mentions by name."""
    sources = "\n".join(file.read_text(encoding="utf-8") for file in modules.values())
    return (path for path in _other_files(package) if path.name in sources)


@cache
def _other_files(package: Path) -> tuple[Path, ...]:
    """What lies in the package besides sources and compiled code."""
    ignored = {".py", ".pyc", ".nbi", ".nbc"}
    return tuple(path for path in sorted(package.rglob("*")) if path.suffix not in ignored and path.is_file())


@cache
def step_digest(step: str, package: Path = PACKAGE) -> str:
    """Digest of the code a step runs: its sources, those of all modules it imports, and the versions of other packages.

    Snakemake notices neither changes of imported modules nor of installed packages; with this value among the
    parameters of a rule it does. Imports are found by reading the sources, nothing is executed.

    Parameters
    ----------
    step : str
        Name of the step, e.g. ``fit``.
    package : Path
        Folder of the package.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Raises
    ------
    ValueError
        If there is no such step.
    """
    modules, others = step_closure(step, package)
    digest = hashlib.sha256()
    for name, file in sorted(modules.items()):
        content = _init_content(file) if file.name == "__init__.py" else file.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    for path in _data_files(modules, package):
        digest.update(path.name.encode() + path.read_bytes())
    for text in _versions(others):
        digest.update(f"{text}\n".encode())
    return digest.hexdigest()[:16]


def _versions(names: set[str]) -> Iterator[str]:
    """Versions of the distributions that provide the imported names; the standard library has none."""
    for name in sorted(names - set(sys.stdlib_module_names)):
        for distribution in _DISTRIBUTIONS.get(name, (name,)):
            yield f"{distribution} {_version(distribution)}"


@cache
def _version(distribution: str) -> str:
    """Version of a distribution; an optional one may be absent."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"
