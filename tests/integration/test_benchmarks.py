"""The command that measures everything, on its smallest case."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import measuring

ROOT = Path(__file__).resolve().parents[2]


def run_suite(folder, *options):
    command = [
        sys.executable,
        ROOT / "benchmarks/suite.py",
        "--quick",
        "--synthetic",
        "--threads",
        "1",
        "--out",
        folder,
        *options,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.slow
def test_suite__prints_a_table_and_writes_it(tmp_path):
    done = run_suite(tmp_path, "--only", "machine", "evaluation", "calculator", "lists")
    assert done.returncode == 0, done.stderr
    table = pq.read_table(tmp_path / "suite.parquet")
    assert table.schema.remove_metadata() == measuring.schema()
    frame = table.to_pandas()
    assert list(frame.section.unique()) == ["machine", "evaluation", "calculator", "lists"]
    assert (frame["median"] > 0).all()
    assert (frame["median"] >= frame.minimum).all()
    shapes = frame[frame.section.isin(["evaluation", "calculator"])]
    assert set(shapes.case) == {"Cu-III"}
    assert shapes.synthetic.all()
    assert {"energies and forces", "share of the roofline"} <= set(shapes.quantity)
    written = json.loads((tmp_path / "suite.json").read_text())
    assert written["rows"] == table.to_pylist()
    assert written["machine"] == json.loads(table.schema.metadata[b"machine"])
    assert {"processor", "cores", "numba", "peaks"} <= set(written["machine"])
    assert "| Cu-III (synthetic) | 1 | energies and forces |" in done.stdout


@pytest.mark.long
def test_suite__times_every_phase_and_its_share_of_the_peak(tmp_path):
    done = run_suite(tmp_path, "--only", "phases")
    assert done.returncode == 0, done.stderr
    frame = pq.read_table(tmp_path / "suite.parquet").to_pandas()
    assert (frame["median"] > 0).all()
    # not that they are below 1: the peak is measured some seconds earlier, perhaps beside another job
    shares = frame[frame.quantity.str.endswith(", share of the peak")]
    timed = {
        "geometry",
        "contraction",
        "products",
        "pair gradients",
        "outer products",
        "whole evaluation",
        "whole loss and gradient",
    }
    assert timed <= set(frame.quantity)
    assert {f"{name}, share of the peak" for name in timed} <= set(shares.quantity)


def test_suite__names_sections_that_fail(tmp_path):
    done = run_suite(tmp_path, "--only", "peers", "lists")
    assert done.returncode == 1
    assert "--peers DIR" in done.stderr
    assert "failed: peers" in done.stderr
    assert set(pq.read_table(tmp_path / "suite.parquet").to_pandas().section) == {"lists"}
