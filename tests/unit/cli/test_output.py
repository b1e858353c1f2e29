import numpy as np

from acefit.cli.output import counted, plain, print_json, print_pairs, print_table, progress


def test_plain__has_only_what_json_has():
    assert plain({"a": np.float64(1.5), 2: (np.int64(3), float("nan")), "c": np.arange(2)}) == {
        "a": 1.5,
        "2": [3, None],
        "c": [0, 1],
    }


def test_print_table__has_names_and_values(capsys):
    print_table([{"name": "[x]", "value": 0.123456789}], title="T")
    text = capsys.readouterr().out
    assert "[x]" in text
    assert "0.123457" in text


def test_print_table__nothing_for_no_rows(capsys):
    print_table([])
    assert capsys.readouterr().out == ""


def test_print_pairs__one_a_line(capsys):
    print_pairs({"a": [1, 2], "long name": "x"})
    assert capsys.readouterr().out == "a          1 2\nlong name  x\n"


def test_print_json__null_for_not_finite(capsys):
    print_json({"x": np.inf})
    assert capsys.readouterr().out == '{"x": null}\n'


def test_progress__gives_all_items():
    assert list(progress(range(3), "counting")) == [0, 1, 2]
    assert list(progress(range(3), "counting", quiet=True)) == [0, 1, 2]


def test_counted__knows_one_and_others():
    assert [counted(number, "problem") for number in (0, 1, 2)] == ["0 problems", "1 problem", "2 problems"]
