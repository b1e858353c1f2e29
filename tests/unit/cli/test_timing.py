import pytest

from acefit.errors import DataError
from acefit.potential.bbasis import write_potential
from commands import run, run_json
from compressed import bare_potential

FEW = ("--structures", 1, "--repeats", 1, "--atoms", 4, "--quiet")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("potentials") / "p.yaml"
    write_potential(bare_potential(), path)
    return path


def test_timing__prints_a_row_for_each_prototype(path):
    result = run("timing", path, *FEW)
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines() if line.strip().startswith(("fcc", "bcc", "diamond"))]
    assert [(row[0], " ".join(row[1:-4])) for row in rows] == [
        (crystal, elements) for crystal in ("fcc", "bcc", "diamond") for elements in ("Al", "Cu", "Al Cu")
    ]
    assert "µs/atom" in result.stdout


def test_timing__options(path):
    found = run_json("timing", path, path, *FEW, "--crystal", "sc", "--crystal", "bcc", "--threads", 0, "--seed", 1)
    assert list(found) == [str(path)]
    rows = found[str(path)]["prototypes"]
    assert [row["structure"] for row in rows] == ["sc"] * 3 + ["bcc"] * 3
    assert found[str(path)]["mean"] == pytest.approx(sum(row["microseconds"] for row in rows) / 6)
    other = run_json("timing", path, *FEW, "--crystal", "sc", "--seed", 2)[str(path)]["prototypes"]
    assert other[0]["neighbors"] != rows[0]["neighbors"]
    assert isinstance(run("timing", path, "--crystal", "hcp").exception, DataError)
