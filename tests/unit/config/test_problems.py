from acefit.config.problems import Problem, dotted, listing, nearest, place_name, problems_from_errors
from acefit.config.source import read_source


def test_dotted__writes_keys_and_entries():
    assert dotted(("fit", "ladder_step", 1)) == "fit.ladder_step[1]"


def test_nearest__ignores_case_and_far_words():
    assert nearest("KAPPA", ["kappa", "L1_coeffs"]) == "; did you mean 'kappa'?"
    assert nearest("zebra", ["kappa"]) == ""


def test_problems_from_errors__shortens_long_values():
    errors = [{"loc": ("fit", "maxiter"), "type": "int_type", "msg": ""}]
    (problem,) = problems_from_errors(errors, {"fit": {"maxiter": "x" * 100}})
    assert problem.message.startswith("is 'xxx")
    assert "...; valid: integer, 0 or more" in problem.message
    assert len(problem.message) < 100


def test_listing__is_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("x: 1\ny: 2\n", encoding="utf-8")
    problems = [Problem(("y",), "late"), Problem(("x",), "early"), Problem(("z",), "elsewhere")]
    assert listing(problems, [read_source(path)]).splitlines() == [
        "3 problems in the configuration:",
        f"  {path}: z: elsewhere",
        f"  {path}:1: x: early",
        f"  {path}:2: y: late",
    ]


def test_place_name__has_what_is_known(tmp_path):
    assert place_name(("data", "filename"), []) == "data.filename"
    (tmp_path / "a.yaml").write_text("data:\n  filename: [x, y]\n", encoding="utf-8")
    source = read_source(tmp_path / "a.yaml")
    assert place_name(("data", "filename", 1), [source]) == f"{tmp_path / 'a.yaml'}:2: data.filename[1]"
    assert place_name(("seed",), [source]) == f"{tmp_path / 'a.yaml'}: seed"
