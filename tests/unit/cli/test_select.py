import ase.io
import pytest

from acefit.potential.bbasis import write_potential
from active_sets import alloys, small_potential, small_set
from commands import run, run_json


@pytest.fixture
def files(tmp_path):
    potential, data = tmp_path / "p.yaml", tmp_path / "d.xyz"
    write_potential(small_potential(), potential)
    ase.io.write(data, [*alloys(3), *alloys(2, strain=0.15, seed=9)])
    return potential, data


def test_select__writes_the_most_informative_structures(files, tmp_path):
    out = tmp_path / "new.xyz"
    found = run_json("select", *files, "--most", 2, "--output", out)
    assert found["active set"] == "none"
    assert (found["candidates"], found["chosen"], found["files"]) == (5, 2, [str(out)])
    assert [frame.info["name"] for frame in ase.io.read(out, ":")] == [row["structure"] for row in found["structures"]]
    assert found["structures"][0]["environments"] >= found["structures"][1]["environments"] > 0
    assert found["structures"][0]["gamma"] is None


def test_select__finds_the_active_set_beside_the_potential(files, tmp_path):
    small_set()[2].active_set.write(tmp_path / "p.asi")
    found = run_json("select", *files, "-o", tmp_path / "new.db", "-m", 2)
    assert found["active set"] == str(tmp_path / "p.asi")
    assert {row["row"] for row in found["structures"]} == {3, 4}
    assert all(row["gamma"] > 2 for row in found["structures"])
    (tmp_path / "p.asi").rename(tmp_path / "other.asi")
    assert "new.db exists already" in str(run("select", *files, "-o", tmp_path / "new.db").exception)
    again = run_json("select", *files, "-o", tmp_path / "new.db", "-m", 2, "--force", "--active-set", tmp_path / "other.asi")
    assert again["structures"] == found["structures"]


def test_select__prints_a_table(files, tmp_path):
    result = run("select", *files, "-o", tmp_path / "POSCAR", "--query", "n_atoms == 8", "--memory", "1KB", "--quiet")
    assert result.exit_code == 0, result.output
    assert "environments" in result.stdout
    assert (tmp_path / "POSCAR-0001").is_file()
    (tmp_path / "POSCAR-0099").write_text("of a former choice")
    assert "POSCAR-0001 exists already" in str(run("select", *files, "-o", tmp_path / "POSCAR").exception)
    assert run("select", *files, "-o", tmp_path / "POSCAR", "--force").exit_code == 0
    assert not (tmp_path / "POSCAR-0099").exists()


def test_select__writes_nothing_where_all_is_known(files, tmp_path):
    small_set()[2].active_set.write(tmp_path / "p.asi")
    ase.io.write(files[1], alloys(2))
    found = run_json("select", *files, "-o", tmp_path / "new.xyz")
    assert (found["chosen"], found["files"]) == (0, [])
    assert not (tmp_path / "new.xyz").exists()


def test_select__options_reach_the_search(files, tmp_path):
    options = ("-g", 1.2, "-i", 50, "-r", 1, "--tables")
    assert run_json("select", *files, "-o", tmp_path / "new.xyz", *options)["chosen"] == 5


def test_select__reads_dumps_with_the_elements_of_their_types(files, tmp_path):
    dump = tmp_path / "md.dump"
    dump.write_text(
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
        "ITEM: ATOMS id type x y z\n1 1 0 0 0\n2 2 2 2 0\n"
    )
    assert run_json("select", files[0], dump, "-e", "Cu Al", "-o", tmp_path / "new.xyz")["chosen"] == 1
    assert ase.io.read(tmp_path / "new.xyz").get_chemical_formula() == "AlCu"


@pytest.mark.parametrize(
    ("options", "message"),
    [(("-o", "new.csv"), "end the name in one of"), (("-m", 0), "at least 1, got 0"), (("-a", "no.asi"), "does not exist")],
)
def test_select__says_what_is_wrong(files, options, message):
    result = run("select", *files, *options)
    assert result.exit_code != 0
    assert message in str(result.exception)
