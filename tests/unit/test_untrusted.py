import os
import resource

import pytest
import yaml

from acefit import untrusted
from acefit.errors import DataError
from acefit.untrusted import MAX_NESTING, bounded_memory, check_regular, check_yaml, first_line, read_text


def test_check_regular__refuses_pipes_and_folders_and_leaves_missing_files_to_others(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(OSError, match="is a folder, a pipe or a device"):
            check_regular(path)
    check_regular(tmp_path / "absent")


def test_read_text__refuses_large_files(tmp_path):
    path = tmp_path / "f"
    path.write_text("ä" * 10)
    assert read_text(path, 20) == "ä" * 10
    with pytest.raises(OSError, match="more than 0 MiB"):
        read_text(path, 19)


def test_first_line__of_errors_that_say_much_or_nothing():
    assert first_line(ValueError("\na\nb")) == "a"
    assert first_line(ValueError()) == "ValueError"


@pytest.mark.parametrize("size", [0, 2**20])
def test_bounded_memory__allows_memory_in_proportion_to_the_file(tmp_path, monkeypatch, size):
    monkeypatch.setattr(untrusted, "MEMORY_BASE", 2**26)
    path = tmp_path / "f"
    path.write_bytes(bytes(size))
    before = resource.getrlimit(resource.RLIMIT_AS)
    with bounded_memory(path, DataError):
        bytearray(2**24 + 100 * size)
    with pytest.raises(DataError, match=r"f would take more than 0\.\d GiB of memory"), bounded_memory(path, DataError):
        bytearray(2**28 + 200 * size)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_bounded_memory__passes_other_errors_on(tmp_path):
    with pytest.raises(KeyError, match="x"), bounded_memory(tmp_path / "absent", DataError):
        raise KeyError("x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: &a [1, 2]\nb: *a\nc: {<<: {d: *a}}\n",
        "[" * (MAX_NESTING - 1) + "]" * (MAX_NESTING - 1),
        "a: " + "x" * 10**5,
        "a: &a [" + "1, " * 1000 + "]\nb: [" + "*a, " * 500 + "]\n",
        "a: *unknown",
    ],
)
def test_check_yaml__accepts_what_can_be_loaded(text):
    check_yaml(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * MAX_NESTING + "]" * MAX_NESTING, "nested more than 100 deep"),
        ("[ # ]\n" * 10**4, "nested more than 100 deep"),
        ("".join(" " * k + "-\n" for k in range(2000)), "nested more than 100 deep"),
        ("a0: &a0 [x]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}]\n" for k in range(1, 200)), "nested more than 100 deep"),
        ("a: &a {b: [*a]}", "refers to the map or list that contains it"),
        ("a0: &a0 [x]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 60)), "more than 1000000 entries"),
        (
            "a0: &a0 {x: 1}\n" + "".join(f"a{k}: &a{k} {{<<: [*a{k - 1}, *a{k - 1}]}}\n" for k in range(1, 60)),
            "more than 1000000",
        ),
        ("a: " + "9" * 301, "more than 300 digits"),
        ("a: " + "1:" * 301 + "1", "more than 300 digits"),
        ("a: [1", "while parsing|did not find"),
    ],
)
def test_check_yaml__refuses_what_would_exhaust_memory_or_time(text, message):
    with pytest.raises(yaml.YAMLError, match=message):
        check_yaml(text)
