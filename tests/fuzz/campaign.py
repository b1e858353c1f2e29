"""Coverage-guided fuzzing of all readers for a given time, with atheris: `make fuzz SECONDS=60`.

Each reader gets a process of its own that starts from small valid files. Inputs that break a rule of `fuzz.targets` are kept, one
per place in the code, and the process goes on; a process that dies or hangs is started again. Prints a table.
"""

import argparse
import hashlib
import json
import platform
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from importlib.metadata import version
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
INSTRUMENTED = (
    *("acefit.artifacts", "acefit.config", "acefit.data", "acefit.files", "acefit.fit.checkpoint", "acefit.potential"),
    *(
        "acefit.collect",
        "acefit.untrusted",
        "ase.constraints",
        "ase.db",
        "ase.io.extxyz",
        "ase.io.jsonio",
        "ase.io.trajectory",
        "ase.io.ulm",
        "yaml",
    ),
)
RSS_MEGABYTES = 4096
TIMEOUT = 60
MAX_STARTS = 20


def fuzz(name: str, seconds: int, folder: Path, found: Path) -> None:
    """Fuzz one reader in this process; libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from fuzz import targets

    warnings.simplefilter("ignore")
    targets.SECONDS = 0  # libFuzzer watches the time
    target = targets.TARGETS[name]
    corpus, work = folder / "corpus", folder / "work"
    for place in (corpus, work):
        place.mkdir(exist_ok=True)
    for content in targets.samples(target):
        (corpus / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words)
    (folder / "words").write_text("".join(f'"{word}"\n' for word in escaped))
    counts: Counter[str] = Counter()
    written = time.monotonic()

    def one_input(content: bytes) -> None:
        nonlocal written
        try:
            counts["refused" if targets.survives(target, content, work) else "read"] += 1
        except Exception as error:
            counts["failures"] += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            key = f"{type(error).__name__}-{Path(place.filename).stem}-{place.lineno}"
            if not (found / f"{key}.input").exists():
                (found / f"{key}.input").write_bytes(content)
                (found / f"{key}.txt").write_text("".join(traceback.format_exception(error)))
        if time.monotonic() - written > 0.5:
            (folder / "counts.json").write_text(json.dumps(counts))
            written = time.monotonic()

    options = [f"-max_total_time={seconds}", f"-rss_limit_mb={RSS_MEGABYTES}", f"-timeout={TIMEOUT}"]
    options += [f"-dict={folder / 'words'}"] if target.words else []
    options += [f"-artifact_prefix={found}/", "-max_len=65536", "-len_control=20", "-print_final_stats=0", "-verbosity=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one_input)
    atheris.Fuzz()


def campaign(name: str, seconds: int, found: Path) -> dict[str, object]:
    """Fuzz one reader in processes of its own until the time is over; a row of the table."""
    total: Counter[str] = Counter()
    began, edges = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for _ in range(MAX_STARTS):
            left = int(began + seconds - time.monotonic())
            if left <= 0:
                break
            command = [sys.executable, str(Path(__file__)), "--one", name, "--seconds", str(left), "--found", str(found)]
            run = subprocess.run([*command, "--folder", place], capture_output=True, text=True, errors="replace", check=False)
            counts = folder / "counts.json"
            if not counts.exists():
                raise SystemExit(f"fuzzing of {name} did not start:\n{run.stderr[-3000:]}")
            total.update(json.loads(counts.read_text()))
            counts.unlink()
            total["deaths"] += run.returncode != 0
            if run.returncode:
                (found / f"death-{total['deaths']}.txt").write_text(run.stderr[-20000:])
            edges = max([edges, *(int(line.split("cov: ")[1].split()[0]) for line in run.stderr.splitlines() if "cov: " in line)])
    return {
        "reader": name,
        "inputs": total["read"] + total["refused"] + total["failures"],
        "read": total["read"],
        "refused": total["refused"],
        "wall s": round(time.monotonic() - began),
        "edges": edges,
        "failures": len(list(found.glob("*.input"))),
        "deaths": total["deaths"],
    }


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--only", nargs="+", metavar="READER", help="names of fuzz.targets.TARGETS; all when absent")
    parser.add_argument("--found", type=Path, default=Path("fuzz-found"), help="folder for inputs that break a rule")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    if arguments.one:
        fuzz(arguments.one, arguments.seconds, arguments.folder, arguments.found)
        return 0
    from fuzz.targets import TARGETS

    unknown = set(arguments.only or ()) - set(TARGETS)
    if unknown:
        parser.error(f"no reader {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    packages = ", ".join(f"{name} {version(name)}" for name in ("atheris", "ase", "numpy", "pandas", "pyarrow", "PyYAML"))
    print(f"Python {platform.python_version()}, {packages}\n", flush=True)
    rows = []
    for name in arguments.only or TARGETS:
        found = arguments.found / name.replace(" ", "-")
        found.mkdir(parents=True, exist_ok=True)
        rows.append(campaign(name, arguments.seconds, found))
        if len(rows) == 1:
            print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
        print("| " + " | ".join(map(str, rows[-1].values())) + " |", flush=True)
    return int(any(row["failures"] or row["deaths"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
