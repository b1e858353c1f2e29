"""Files written atomically, YAML, and what importing them loads."""

import os
import subprocess
import sys

import numpy as np
import pytest
import yaml

from acefit import files
from acefit.errors import ArtifactError, DamagedArtifactError
from acefit.files import (
    atomic_path,
    file_digest,
    read_sealed,
    read_yaml,
    set_aside,
    text_digest,
    write_sealed,
    write_text,
    write_yaml,
)

HEAVY = {"ase", "matplotlib", "numba", "numpy", "pandas", "pyarrow", "scipy"}


def loaded_by(*modules):
    """Which large packages, and which slow parts of them, a fresh process has loaded after importing modules."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_imports__what_rules_import_is_light():
    """Snakemake reads the rules in each call, also where nothing is to be done."""
    analysis = ("acefit.analysis.catalog", "acefit.analysis.summary")
    modules = (*analysis, "acefit.config.loading", "acefit.config.stages", "acefit.files", "acefit.workflow")
    assert loaded_by(*modules) & HEAVY == set()


def test_imports__a_fit_starts_without_what_few_fits_need():
    assert loaded_by("acefit.steps.fit") & {"matplotlib", "pandas", "pydantic", "scipy.optimize", "ase.io", "ase.db"} == set()


def write_half(path):
    with atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError("power cut")


def test_atomic_path__keeps_the_old_file_when_writing_fails(tmp_path):
    path = tmp_path / "t"
    write_text("old", path)
    with pytest.raises(RuntimeError, match="power cut"):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_path__obeys_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_text("x", tmp_path / "t")
    finally:
        os.umask(old)
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o640


def test_yaml__keeps_order_digits_and_numbers(tmp_path):
    content = {
        "z": 1e-8,
        "a": [0.1 + 0.2, 5.0, float("inf"), -float("inf"), 1e300],
        "n": np.float64(2.5),
        "k": np.arange(2),
        "b": np.bool_(True),
        "t": (1, "x: y"),
        "p": tmp_path,
        "none": None,
        "text": "Å",
    }
    write_yaml(content, tmp_path / "f.yaml")
    read = read_yaml(tmp_path / "f.yaml")
    assert list(read) == list(content)
    assert read["z"] == 1e-8
    assert read["a"] == [0.1 + 0.2, 5.0, float("inf"), -float("inf"), 1e300]
    assert (read["n"], read["k"], read["b"], read["t"], read["p"]) == (2.5, [0, 1], True, [1, "x: y"], str(tmp_path))
    assert yaml.safe_load((tmp_path / "f.yaml").read_text()) == read
    write_yaml(float("nan"), tmp_path / "n.yaml")
    assert np.isnan(read_yaml(tmp_path / "n.yaml"))


def test_read_sealed__tells_missing_files_from_damaged_ones(tmp_path):
    path = tmp_path / "f.yaml"
    with pytest.raises(ArtifactError, match=r"f\.yaml does not exist; run the stage") as caught:
        read_yaml(path)
    assert not isinstance(caught.value, DamagedArtifactError)
    with pytest.raises(ArtifactError, match="cannot read"):
        read_sealed(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: b"", "its last line is not a seal"),
        (lambda content: b"a: 1\n", "its last line is not a seal"),
        (lambda content: b"a: 1\n# acefit {}\n", "its last line is not a seal"),
        (lambda content: b"a: 1\n# acefit 0123 {}\n", "was altered after acefit wrote it"),
        (lambda content: content[: len(content) // 2], "its last line is not a seal"),
        (lambda content: content[:-1], "its last line is not a seal"),
        (lambda content: content.replace(b"b: 2", b"b: 3"), "was altered after acefit wrote it"),
        (lambda content: b"# mine\n" + content, "was altered after acefit wrote it"),
        (lambda content: b"\xff" + content, r"is not a text that acefit wrote \("),
        (lambda content: content.replace(b"f.yaml", b"g.yaml"), "was altered after acefit wrote it"),
    ],
)
def test_read_sealed__recognises_damage(tmp_path, damage, message):
    path = tmp_path / "f.yaml"
    write_yaml({"a": 1, "b": 2}, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DamagedArtifactError, match=message) as caught:
        read_yaml(path)
    assert caught.value.path == str(path)
    assert str(caught.value).endswith("delete it and run the pipeline again, which writes it anew")


def test_read_sealed__refuses_other_names_and_versions(tmp_path, monkeypatch):
    write_sealed("a: 1\n", tmp_path / "g.yaml")
    (tmp_path / "g.yaml").rename(tmp_path / "f.yaml")
    with pytest.raises(DamagedArtifactError, match=r"holds what was written as 'g\.yaml' \(version 1\), not 'f\.yaml'"):
        read_sealed(tmp_path / "f.yaml")
    monkeypatch.setattr(files, "SEAL_VERSION", 9)
    write_sealed("a: 1\n", tmp_path / "f.yaml")
    monkeypatch.undo()
    with pytest.raises(DamagedArtifactError, match=r"'f\.yaml' \(version 9\), not 'f\.yaml' \(version 1\)"):
        read_sealed(tmp_path / "f.yaml")


def test_write_sealed__says_where_the_text_comes_from(tmp_path):
    write_sealed("a: 1\n", tmp_path / "f", {"step": "basis", "code": "0123", "inputs": {"x": "4567"}})
    text, seal = read_sealed(tmp_path / "f")
    assert text == "a: 1\n"
    assert seal["content"] == text_digest(text)
    assert seal["provenance"] == {"step": "basis", "code": "0123", "inputs": {"x": "4567"}}
    assert {"acefit_version", "schema_version", "file"} < set(seal)


def test_set_aside__loses_nothing(tmp_path):
    for k in range(3):
        (tmp_path / "f").write_text(str(k))
        set_aside(tmp_path / "f")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "f.damaged": "0",
        "f.damaged-2": "1",
        "f.damaged-3": "2",
    }


def test_atomic_path__removes_what_a_killed_process_left(tmp_path):
    (tmp_path / ".t.0123.part").write_text("half")
    (tmp_path / ".other.0123.part").write_text("half")
    write_text("x", tmp_path / "t")
    assert {path.name for path in tmp_path.iterdir()} == {"t", ".other.0123.part"}


def test_write_yaml__refuses_objects(tmp_path):
    with pytest.raises(ArtifactError, match="cannot write"):
        write_yaml({"a": object()}, tmp_path / "f.yaml")


def test_digests__are_those_of_the_content(tmp_path):
    write_text("abc", tmp_path / "f")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path / "f") == digest
    with pytest.raises(ArtifactError, match="cannot read"):
        file_digest(tmp_path / "g")


@pytest.mark.parametrize("text", ["a: !!bool x", "a: !!int ''", "[ # ]\n" * 10**4, "a: !!python/name:os.system"])
def test_read_yaml__refuses_what_its_tags_or_depth_make_unreadable(tmp_path, text):
    write_sealed(text, tmp_path / "a.yaml")
    with pytest.raises(DamagedArtifactError, match=r"a\.yaml is not a readable YAML file"):
        read_yaml(tmp_path / "a.yaml")


def test_reading__does_not_wait_for_pipes(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArtifactError, match="a pipe or a device"):
        read_yaml(tmp_path / "pipe")
    with pytest.raises(ArtifactError, match="a pipe or a device"):
        file_digest(tmp_path / "pipe")
