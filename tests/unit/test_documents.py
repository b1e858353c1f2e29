"""Pages of the documentation that are made from the code are up to date, and their links and tests exist."""

import ast
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "config").glob("*.md")])


def test_artifacts_page__is_what_the_contracts_say():
    expected = runpy.run_path(str(ROOT / "docs" / "generate.py"))["artifacts_page"]()
    assert (ROOT / "docs" / "artifacts.md").read_text(encoding="utf-8") == expected, "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links__lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_pitfalls_page__names_tests_that_exist():
    text = (ROOT / "docs" / "pitfalls.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[^`]*)`", text)) - {"tests/unit/test_documents.py"}
    assert named
    for name in sorted(named):
        file, _, test = name.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


def test_pitfalls_page__says_for_every_line_what_is_done_and_where_it_is_tested():
    text = (ROOT / "docs" / "pitfalls.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    for number, _, what, tests in rows:
        assert re.match(r"\*\*(Mostly f|F)ixed|\*\*(Partly the s|S)ame|\*\*Does not apply|\*\*Not built yet", what), number
        assert "tests/" in tests or what.startswith("**Not built yet"), number
