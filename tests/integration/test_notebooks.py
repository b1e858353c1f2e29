"""The notebooks of the examples run from beginning to end, and are committed without results."""

import nbformat
import pytest
from nbclient import NotebookClient

from workflow_runs import ROOT

NOTEBOOKS = ROOT / "examples" / "notebooks"
SECONDS = 300


def execute(name, folder, monkeypatch, environment=None):
    """Execute a notebook where it lies; its cells with outputs."""
    for key, value in {
        "IPYTHONDIR": folder,
        "JUPYTER_DATA_DIR": folder,
        "JUPYTER_CONFIG_DIR": folder,
        "MPLBACKEND": "Agg",
        **(environment or {}),
    }.items():
        monkeypatch.setenv(key, str(value))
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    return notebook


def shown(notebook):
    """All text that the cells show."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks__are_small_and_without_outputs(path):
    assert path.stat().st_size < 100_000
    assert all(not cell.get("outputs") for cell in nbformat.read(path, as_version=4).cells)


@pytest.mark.slow
def test_fit_and_use__gives_a_silicon_potential(tmp_path, monkeypatch):
    text = shown(execute("fit_and_use.ipynb", tmp_path, monkeypatch))
    lattice_constant, modulus = (float(text.split(f"{name} = ")[1].split()[0]) for name in ("a", "B"))
    assert lattice_constant == pytest.approx(5.40, abs=0.05)
    assert modulus == pytest.approx(96, abs=45)


@pytest.mark.slow
def test_artifacts__are_read_by_pandas_and_duckdb(finished, tmp_path, monkeypatch):
    text = shown(execute("artifacts.ipynb", tmp_path, monkeypatch, {"ACEFIT_FOLDER": finished}))
    assert "copper.xyz" in text
    assert "'step': 'predict'" in text
