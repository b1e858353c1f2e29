"""Pages of the documentation that are made from the code are up to date, and their links lead somewhere."""

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
