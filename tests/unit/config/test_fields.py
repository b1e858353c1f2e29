import pytest
from pydantic import TypeAdapter, ValidationError

from acefit.config.fields import Count, Number, as_list


@pytest.mark.parametrize(("value", "number"), [("1e-8", 1e-8), (" 2 ", 2.0), (3, 3.0), ("-0.5", -0.5)])
def test_number__reads_text(value, number):
    assert TypeAdapter(Number).validate_python(value) == number


@pytest.mark.parametrize("value", ["abc", True, None, [1], ""])
def test_number__refuses_what_is_none(value):
    with pytest.raises(ValidationError, match=r"boolean is not a number|not a number|valid number"):
        TypeAdapter(Number).validate_python(value)


@pytest.mark.parametrize(("value", "count"), [("1e3", 1000), (4.0, 4), ("7", 7)])
def test_count__reads_whole_numbers_however_written(value, count):
    assert TypeAdapter(Count).validate_python(value) == count


def test_as_list__takes_one_or_several():
    assert (as_list(None), as_list("a"), as_list(["a", "b"])) == ([], ["a"], ["a", "b"])
