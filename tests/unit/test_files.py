"""Files written atomically, YAML, and what importing them loads."""

import os
import subprocess
import sys

import numpy as np
import pytest
import yaml

from acefit.errors import ArtifactError
from acefit.files import atomic_path, file_digest, input_digests, read_yaml, write_text, write_yaml

HEAVY = {"ase", "matplotlib", "numba", "numpy", "pandas", "pyarrow", "scipy"}


def loaded_by(*modules):
    """Which large packages, and which slow parts of them, a fresh process has loaded after importing modules."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_imports__what_rules_import_is_light():
    """Snakemake reads the rules in each call, also where nothing is to be done."""
    modules = ("acefit.analysis.catalog", "acefit.config.loading", "acefit.config.stages", "acefit.files", "acefit.workflow")
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


def test_yaml__notices_missing_broken_empty_and_truncated_files(tmp_path):
    path = tmp_path / "f.yaml"
    with pytest.raises(ArtifactError, match=r"f\.yaml does not exist"):
        read_yaml(path)
    path.write_text("a: [1")
    with pytest.raises(ArtifactError, match=r"f\.yaml is not a readable YAML file"):
        read_yaml(path)
    path.write_text("")
    with pytest.raises(ArtifactError, match=r"f\.yaml is empty"):
        read_yaml(path)
    write_yaml({"a": 1, "b": 2}, path)
    path.write_text(path.read_text().replace("b: 2\n...\n", ""))
    with pytest.raises(ArtifactError, match=r"f\.yaml is cut off"):
        read_yaml(path)


def test_yaml__reads_files_written_by_hand(tmp_path):
    (tmp_path / "f.yaml").write_text("a: 1\n")
    assert read_yaml(tmp_path / "f.yaml") == {"a": 1}


def test_write_yaml__refuses_objects(tmp_path):
    with pytest.raises(ArtifactError, match="cannot write"):
        write_yaml({"a": object()}, tmp_path / "f.yaml")


def test_digests__are_those_of_the_content(tmp_path):
    write_text("abc", tmp_path / "f")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path / "f") == digest
    assert input_digests(tmp_path / "f") == {"f": digest}
    with pytest.raises(ArtifactError, match="cannot read"):
        file_digest(tmp_path / "g")


@pytest.mark.parametrize("text", ["a: !!bool x", "a: !!int ''", "[ # ]\n" * 10**4, "a: !!python/name:os.system"])
def test_read_yaml__refuses_what_its_tags_or_depth_make_unreadable(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ArtifactError, match=r"a\.yaml is not a readable YAML file"):
        read_yaml(tmp_path / "a.yaml")


def test_reading__does_not_wait_for_pipes(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArtifactError, match="a pipe or a device"):
        read_yaml(tmp_path / "pipe")
    with pytest.raises(ArtifactError, match="a pipe or a device"):
        file_digest(tmp_path / "pipe")
