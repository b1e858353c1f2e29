import subprocess
import sys

from acefit.analysis.catalog import FIGURES, TABLES, figure_file, table_file


def test_catalog__names_make_distinct_plain_files():
    files = [figure_file(name) for name in FIGURES] + [table_file(name) for name in TABLES]
    assert len(set(files)) == len(files)
    assert all(name == name.lower() and " " not in name for name in files)


def test_catalog__every_caption_is_a_sentence_without_placeholders():
    for entry in [*FIGURES.values(), *TABLES.values()]:
        assert entry.caption.endswith(".")
        assert "{" not in entry.caption


def test_catalog__import_is_cheap():
    code = "import sys, acefit.analysis.catalog; print([m for m in ('matplotlib', 'numpy', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
