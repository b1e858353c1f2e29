import pytest

from acefit.collect.selection import parse_selection, select_steps
from acefit.errors import DataError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("first", [0]),
        ("last", [4]),
        ("all", [0, 1, 2, 3, 4]),
        ("first_and_last", [0, 4]),
        ("::2", [0, 2, 4]),
        ("1:3", [1, 2]),
        ("-2:", [3, 4]),
        ("4:0:-2", [4, 2]),
    ],
)
def test_select_steps__as_in_python(text, expected):
    assert select_steps(range(5), parse_selection(text)) == expected


def test_select_steps__a_single_step_is_taken_once():
    assert select_steps([7], parse_selection("first_and_last")) == [7]
    assert select_steps([], parse_selection("first_and_last")) == []


@pytest.mark.parametrize("text", ["every", "1", "a:b", "::0", "1:2:3:4", ""])
def test_parse_selection__refuses_what_is_none(text):
    with pytest.raises(DataError, match="not understood"):
        parse_selection(text)
