"""Run pacemaker beside acefit as a black box: what the comparisons with it have in common.

pacemaker is not part of acefit and not needed by it; its licence is academic and non-commercial. Install it into an environment
of its own (``pip install python-ace tensorpotential``) and give that environment's folder as ``--peers``.
"""

import argparse
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ase.io
import yaml
from ase import Atoms

# Run with the environment of pacemaker, whose pandas has to read the result
_TO_FRAME = """
import sys
import pandas as pd
from ase.io import read
for text, result in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    rows = []
    for atoms in read(text, ":"):
        row = {"ase_atoms": atoms, "name": atoms.info["name"], "energy": atoms.info["dft_energy"],
               "forces": atoms.arrays.pop("dft_forces"), "energy_corrected": atoms.info["dft_energy"] + 3.0 * len(atoms)}
        row |= {key: atoms.info[key] for key in ("w_factor", "w_energy") if key in atoms.info}
        row |= {key: atoms.arrays.pop(key) for key in ("w_forces", "w_forces_mask") if key in atoms.arrays}
        atoms.info.clear()
        rows.append(row)
    pd.DataFrame(rows).to_pickle(result, compression="gzip", protocol=4)
"""


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """Parser with the option all comparisons have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, help="folder of the environment with bin/pacemaker")
    return parser


def write_frames(files: Mapping[Path, Sequence[Atoms]], peers: Path) -> None:
    """Write structures in pacemaker's format, and as extended XYZ beside it.

    Parameters
    ----------
    files : mapping
        Structures of each file, whose name ends in ``.pckl.gzip``. They have ``info["name"]``, ``info["dft_energy"]``,
        ``arrays["dft_forces"]``, and possibly weights under pacemaker's names.
    peers : Path
        Environment of pacemaker.
    """
    arguments = []
    for path, structures in files.items():
        text = path.with_name(path.name.removesuffix(".pckl.gzip") + ".xyz")
        ase.io.write(text, structures, format="extxyz")
        arguments += [text, path]
    run_python(_TO_FRAME, peers, *arguments)


def run_python(program: str, peers: Path, *arguments: Path | str) -> None:
    """Run a program text with the Python of pacemaker's environment."""
    _run([peers / "bin" / "python", "-c", program, *arguments], Path.cwd())


def run_pacemaker(settings: Mapping[str, Any], folder: Path, peers: Path, *options: str) -> None:
    """Run pacemaker on an input; the files it writes are left in the folder.

    Raises
    ------
    RuntimeError
        If it ends with an error; with the end of what it printed.
    """
    (folder / "input.yaml").write_text(yaml.safe_dump(dict(settings), sort_keys=False))
    run_tool("pacemaker", folder, peers, *options, "--no-predict", "input.yaml")


def run_tool(name: str, folder: Path, peers: Path, *arguments: str) -> None:
    """Run a program of pacemaker's environment in a folder; errors as those of `run_pacemaker`."""
    _run([peers / "bin" / name, *arguments], folder)


def _run(command: list[Any], folder: Path) -> None:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{Path(command[0]).name} in {folder} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-500:]}"
        )
