"""The repository's layout: one name per stage everywhere, tests that mirror the sources, sizes."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "acefit"
STEPS = sorted(path.stem for path in (PACKAGE / "steps").glob("*.py") if path.stem != "__init__")
WITHOUT_BEHAVIOUR = {Path("errors.py")}
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
REQUIRED = ("output", "log", "benchmark", "threads", "resources", "params", "message", "conda", "script")


def public_functions(path):
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return [node for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


def test_steps__are_those_of_the_workflow():
    rules = {path.stem for path in (ROOT / "workflow" / "rules").glob("*.smk")} - {"common", "inputs", "resources"}
    scripts = {path.stem for path in (ROOT / "workflow" / "scripts").glob("*.py")}
    assert set(STEPS) == rules == scripts


@pytest.mark.parametrize("step", STEPS)
def test_step__is_one_keyword_only_function_of_its_name(step):
    (function,) = public_functions(PACKAGE / "steps" / f"{step}.py")
    assert function.name == step
    assert not function.args.args
    assert not function.args.posonlyargs
    assert function.args.kwonlyargs


@pytest.mark.parametrize("step", STEPS)
def test_step__has_a_complete_rule(step):
    text = (ROOT / "workflow" / "rules" / f"{step}.smk").read_text()
    assert re.search(rf"^(rule|checkpoint) {step}:", text, re.MULTILINE)
    for directive in REQUIRED:
        assert re.search(rf"^    {directive}:", text, re.MULTILINE), directive
    assert f'code=step_digest("{step}")' in text
    assert f"scripts/{step}.py" in text
    assert re.search(r"^        mem_mb=", text, re.MULTILINE)


@pytest.mark.parametrize("step", STEPS)
def test_step__has_a_thin_script(step):
    text = (ROOT / "workflow" / "scripts" / f"{step}.py").read_text()
    assert f"from acefit.steps.{step} import {step}" in text
    assert "with job_context(snakemake):" in text
    assert text.count("\n") <= 40


@pytest.mark.parametrize("step", [step for step in STEPS if step != "report"])
def test_step__writes_the_digest_of_its_code_into_its_artifacts(step):
    assert "code=snakemake.params.code" in (ROOT / "workflow" / "scripts" / f"{step}.py").read_text()
    assert re.search(rf'made_by\("{step}", code|"step": "{step}", "code": code', (PACKAGE / "steps" / f"{step}.py").read_text())


@pytest.mark.parametrize("step", STEPS)
def test_step__is_documented(step):
    assert f"| `{step}` |" in (ROOT / "docs" / "workflow.md").read_text()


@pytest.mark.parametrize("module", [module for module in MODULES if module not in WITHOUT_BEHAVIOUR], ids=str)
def test_module__has_its_test_file(module):
    assert (ROOT / "tests" / "unit" / module.parent / f"test_{module.name}").is_file()


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_module__is_of_readable_size(module):
    text = (PACKAGE / module).read_text(encoding="utf-8")
    assert text.count("\n") <= 500
    assert module.stem not in {"utils", "helpers"}
    limit = 100 if module.parts[0] == "kernels" else 60
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > limit
    }
    assert not long


def test_workflow_files__stay_small():
    assert (ROOT / "workflow" / "Snakefile").read_text().count("\n") <= 80
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        assert path.read_text().count("\n") <= 150, path


def test_scripts__import_nothing_but_their_step_and_the_job_context():
    for path in (ROOT / "workflow" / "scripts").glob("*.py"):
        modules = {node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
        assert modules <= {f"acefit.steps.{path.stem}", "acefit.launch", "acefit.workflow", "pathlib"}, path
        assert not [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import)], path


def test_committed_files__are_small():
    large = [
        path
        for folder in ("src", "tests", "workflow", "docs", "config")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.stat().st_size > 500_000
    ]
    assert not large


def test_oldest_versions__are_those_that_are_declared():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    tested = (ROOT / "tests" / "oldest.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert tested == [requirement.replace(">=", "==") for requirement in declared]
    environment = (ROOT / "workflow" / "envs" / "acefit.yaml").read_text(encoding="utf-8")
    of_conda = dict(re.findall(r"^  - ([a-z]+)(?:-base)? (>=[\d.]+)$", environment, re.MULTILINE))
    bounds = dict(re.split("(?=>=)", requirement) for requirement in declared)
    assert {name: bound for name, bound in of_conda.items() if name in bounds}.items() <= bounds.items()
