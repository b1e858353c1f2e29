import pytest

from acefit.sources import imported_modules, module_file, user_digest

SOURCE = """
import a.b
from .near import x
from .. import far
def f():
    import late
if TYPE_CHECKING:
    import never
else:
    import always
"""


@pytest.mark.parametrize(("lazily", "more"), [(True, {"late"}), (False, set())])
def test_imported_modules__are_found_without_running(lazily, more):
    names = {"a.b", "top.sub.near", "top.sub.near.x", "top", "top.far", "always"}
    assert imported_modules(SOURCE, "top.sub.module", False, lazily) == names | more


def test_imported_modules__relative_imports_of_a_package_count_from_itself():
    assert imported_modules("from . import x", "top.sub", True) == {"top.sub", "top.sub.x"}


def test_module_file__is_a_file_or_a_package(tmp_path):
    (tmp_path / "one.py").touch()
    (tmp_path / "two").mkdir()
    (tmp_path / "two/__init__.py").touch()
    (tmp_path / "two/three.py").touch()
    found = [module_file(name, tmp_path) for name in ("one", "two", "two.three", "four")]
    assert found == [tmp_path / "one.py", tmp_path / "two/__init__.py", tmp_path / "two/three.py", None]


@pytest.fixture
def user(tmp_path):
    """Folder with a module that imports two others of the same folder, and one that nobody uses."""
    for name, text in {
        "label.py": "import numpy\nfrom . import nothing\nfrom common import VALUE\ndef make():\n    import sets.pseudo\n",
        "common.py": "VALUE = 1\n",
        "sets/__init__.py": "",
        "sets/pseudo.py": "FILE = 'a'\n",
        "other.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "moves"),
    [("label.py", True), ("common.py", True), ("sets/pseudo.py", True), ("sets/__init__.py", True), ("other.py", False)],
)
def test_user_digest__moves_with_the_files_that_are_used(user, name, moves):
    before = user_digest("label", [user])
    assert before == user_digest("label", [user / "sets", user])
    with (user / name).open("a") as file:
        file.write("X = 1\n")
    assert (user_digest("label", [user]) != before) is moves


def test_user_digest__of_an_installed_or_absent_module_is_none(user):
    assert user_digest("ase.calculators.emt", [user]) is None
    assert user_digest("label.absent", [user]) is None


@pytest.mark.parametrize("content", [b"def (", b"a\0b", b"\xff"])
def test_user_digest__of_what_is_no_python_is_that_of_its_bytes(tmp_path, content):
    (tmp_path / "label.py").write_bytes(content)
    first = user_digest("label", [tmp_path])
    (tmp_path / "label.py").write_bytes(content + b" ")
    assert first != user_digest("label", [tmp_path])


def test_user_digest__the_first_folder_counts(user, tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "first/label.py").write_text("A = 1\n")
    first = user_digest("label", [tmp_path / "first", user])
    assert first == user_digest("label", [tmp_path / "first"])
    assert first != user_digest("label", [user])
