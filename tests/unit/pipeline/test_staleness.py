import subprocess
from pathlib import Path

import pytest

from acefit.pipeline.staleness import Planned, SnakemakeError, ask_snakemake, describe_change, messages, plan_files

RULES = Path(__file__).parents[3] / "workflow" / "rules"
HEAD = "Building DAG of jobs...\noutput_file\tdate\trule\tlog-file(s)\tinput-file(s)\tshellcmd\tstatus\tplan\n"
WHAT = "Reason: Params have changed since last execution: Union of exclusive params before and now across all output: "


def row(path, rule, status, plan):
    return f"{path}\tFri\t{rule}\tlog\tin\t-\t{status}\t{plan}\n"


def answers(summary, dry_run="", code=0):
    asked = []

    def ask(options):
        asked.append(options)
        text = summary if "--detailed-summary" in options else dry_run
        return subprocess.CompletedProcess([], code, text, "")

    return ask, asked


def test_plan_files__up_to_date_needs_one_question():
    ask, asked = answers(HEAD + row("a.yaml", "basis", "ok", "no update"))
    assert plan_files(ask) == [Planned("a.yaml", "basis", False, "")]
    assert len(asked) == 1


def test_plan_files__changed_settings_are_named_by_key():
    table = HEAD + row("fit.yaml", "fit", "params changed", "update pending") + row("s.yaml", "select", "ok", "update pending")
    before, now = ({"fit": {"loss": {"kappa": kappa}}} for kappa in (0.3, 0.4))
    dry = f"Job 15: Fitting ladder step 00, cycle 00 of tiny\n{WHAT}before: {before} now: {now} \n"
    ask, asked = answers(table, dry)
    fit, select = plan_files(ask)
    assert fit == Planned("fit.yaml", "fit", True, "fit.loss.kappa: 0.3 -> 0.4")
    assert select == Planned("s.yaml", "select", True, "")
    assert len(asked) == 2


def test_plan_files__unknown_words_are_passed_on():
    ask, _ = answers(
        HEAD + row("a", "fit", "moon phase changed", "update pending") + row("b", "fit", "missing", "update pending")
    )
    assert [entry.reason for entry in plan_files(ask)] == ["moon phase changed", "not made yet"]


@pytest.mark.parametrize(("text", "code"), [("WorkflowError:\nbroken\n", 1), ("something else\n", 0)])
def test_plan_files__failure_is_one_error(text, code):
    ask, _ = answers(text, code=code)
    with pytest.raises(SnakemakeError, match=r"cannot say what is up to date: .*(broken|else)"):
        plan_files(ask)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("before: '163e733f22d9901e' now: 'a4ca080fc4c07cd0' ", ["code or a library changed"]),
        ("before: {'a': 1}, '163e733f22d9901e' now: {'a': 2}, 'a4ca080fc4c07cd0'", ["a: 1 -> 2", "code or a library changed"]),
        ("before: {'a': {'b': [1]}} now: {'a': {'b': [1], 'c': None, 'd': 3}}", ["a.d: None -> 3"]),
        ("before: <object> now: <object>", ["settings changed"]),
        ("something new", ["settings changed"]),
        ("before: 1 now: 2", ["settings changed"]),
    ],
)
def test_describe_change__names_keys_or_says_so(text, expected):
    assert describe_change(text) == expected


def test_messages__of_every_rule_and_none_is_ambiguous():
    names = {path.stem for path in RULES.glob("*.smk")} - {"common", "inputs", "resources"}
    assert {stage for stage, _ in messages()} == names
    for text, stage in (
        ("Fitting ladder step 00, cycle 01 of silicon/small", "fit"),
        ("Reading structures from a.xyz, b.xyz", "dataset"),
        ("Weighting structures and atoms", "weights"),
    ):
        assert [name for name, pattern in messages() if pattern.fullmatch(text)] == [stage]


def test_ask_snakemake__asks_without_touching(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(subprocess, "run", lambda command, **options: seen.update(command=command, **options))
    ask_snakemake(Path("input.yaml"), tmp_path)(["--dry-run"])
    assert seen["cwd"] == tmp_path
    assert {"--dry-run", "--nolock"} <= set(seen["command"])
    assert seen["command"][-1] == str(Path("input.yaml").absolute())
