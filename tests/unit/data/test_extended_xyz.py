import io
from pathlib import Path

import pytest

from acefit.data.extended_xyz import check_frames
from acefit.errors import DataError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1000000000000\n\nCu 0 0 0\n", "line 1: 1000000000000 atoms are announced, but 1 lines follow"),
        ("1\n\nCu 0 0 0\n-2\n\n", "line 4: -2 atoms are announced"),
        ("1\n\nCu 0 0 0\nx\n", "line 4: a number of atoms is expected, not 'x'"),
        ("1\nProperties=species:S:1:pos:R:99999\nCu 0 0 0\n", "line 2: properties have an absurd number of columns"),
        ("1\n\nCu 0 0 0\n\n1\n\nCu 0 0 0\n", "line 5: structures behind an empty line would be lost"),
    ],
)
def test_check_frames__counts_what_is_announced(text, message):
    with pytest.raises(DataError, match=rf"f\.xyz, {message}"):
        check_frames(io.StringIO(text), Path("f.xyz"))


@pytest.mark.parametrize("text", ["", "1\n\nCu 0 0 0", "1\n\nCu 0 0 0\n\n\n", "1\nx\nCu 0 0 0\nVEC1 3 0 0\nVEC2 0 3 0\n" * 2])
def test_check_frames__takes_what_ase_reads(text):
    check_frames(io.StringIO(text), Path("f.xyz"))
