import shutil
from pathlib import Path

import pytest
from ase.build import bulk

from acefit.config.stages import data_files, potential_files
from acefit.data.given_atoms import write_atoms
from acefit.errors import ConfigError
from acefit.pipeline.configuration import load_configuration
from acefit.pipeline.import_input import import_input
from conftest import shared_path

HEAD = """# My input
potential:
  elements: [Al]
  embeddings: {ALL: {npot: FinnisSinclairShiftedScaled, fs_parameters: [1, 1], ndensity: 1}}
  bonds: {ALL: {radbase: SBessel, radparameters: [5.25], rcut: 5, dcut: 0.01}}
  functions: {number_of_functions_per_element: 10, ALL: {nradmax_by_orders: [5, 2], lmax_by_orders: [0, 1]}}
"""


@pytest.fixture(autouse=True)
def away(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("PACEMAKERDATAPATH", raising=False)


@pytest.fixture
def make(tmp_path):
    """Write an input and empty files beside it."""

    def make(text, *names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(name)
        (tmp_path / "input.yaml").write_text(text)
        return tmp_path / "input.yaml"

    return make


def test_import_input__changes_names_of_files_only(make, tmp_path):
    text = (
        HEAD
        + "data:\n  filename: frames/a.pckl.gzip   # the data\n  test_filename: [b.xyz, 'c d.xyz']\nfit: {maxiter: 5}  # short\n"
    )
    done = import_input(make(text, "frames/a.pckl.gzip", "b.xyz", "c d.xyz"), tmp_path / "run")
    expected = text.replace("frames/a.pckl.gzip", '"data/a.pckl.gzip"').replace("b.xyz", '"data/b.xyz"')
    assert (tmp_path / "run" / "input.yaml").read_text() == expected.replace("'c d.xyz'", '"data/c d.xyz"')
    assert sorted(done.files) == ["data/a.pckl.gzip", "data/b.xyz", "data/c d.xyz"]
    assert (tmp_path / "run" / "data" / "a.pckl.gzip").read_text() == "frames/a.pckl.gzip"


def test_import_input__every_kind_of_file(make, tmp_path, pytestconfig):
    shutil.copy(pytestconfig.rootpath / "tests" / "data" / "demo.yaml", tmp_path / "start.yaml")
    text = (
        HEAD
        + "  initial_potential: start.yaml\n"
        + "data: {filename: a.xyz, reference_energy: free.csv}\n"
        + "fit:\n  weighting: {type: ExternalWeightingPolicy, filename_or_df: w.pckl.gzip}\n  callbacks: mine.stop\n"
    )
    done = import_input(make(text, "a.xyz", "free.csv", "w.pckl.gzip", "mine.py"), tmp_path / "run")
    assert sorted(done.files) == ["data/a.xyz", "data/free.csv", "data/w.pckl.gzip", "mine.py", "potentials/start.yaml"]
    config = load_configuration(done.configuration).configs["run"]
    assert config.fit.weighting.file == "data/w.pckl.gzip"
    assert Path(potential_files(config)[0]).resolve() == (tmp_path / "run" / "potentials" / "start.yaml").resolve()


def test_import_input__short_forms(make, tmp_path, pytestconfig):
    shutil.copy(pytestconfig.rootpath / "tests" / "data" / "demo.yaml", tmp_path / "start.yaml")
    done = import_input(make("potential: start.yaml\ndata: a.xyz\n", "a.xyz"), tmp_path / "run")
    assert done.configuration.read_text() == 'potential: "potentials/start.yaml"\ndata: "data/a.xyz"\n'


@pytest.mark.parametrize("by_variable", [False, True])
def test_import_input__finds_data_where_pacemaker_does(make, tmp_path, monkeypatch, by_variable):
    folder = tmp_path / "far" / "away"
    if by_variable:
        monkeypatch.setenv("PACEMAKERDATAPATH", str(folder))
        text = HEAD + "data: {filename: a.xyz}\n"
    else:
        text = HEAD + f"data: {{filename: a.xyz, datapath: {folder}}}\n"
    done = import_input(make(text, "far/away/a.xyz"), tmp_path / "run")
    shutil.rmtree(folder)
    monkeypatch.chdir(tmp_path / "run")
    config = load_configuration(done.configuration).configs["run"]
    assert data_files(config) == [{"path": "data/a.xyz", "subset": "data"}]


def test_import_input__files_of_the_same_name(make, tmp_path):
    text = HEAD + "data: {filename: [a/x.xyz, b/x.xyz, a/x.xyz, c/x.xyz]}\n"
    done = import_input(make(text, "a/x.xyz", "b/x.xyz", "c/x.xyz"), tmp_path / "run")
    assert {name: Path(origin).parent.name for name, origin in done.files.items()} == {
        "data/x.xyz": "a",
        "data/2-x.xyz": "b",
        "data/3-x.xyz": "c",
    }
    assert '["data/x.xyz", "data/2-x.xyz", "data/x.xyz", "data/3-x.xyz"]' in done.configuration.read_text()


def test_import_input__links_keep_their_names(make, tmp_path):
    """The suffix says the kind of file, and what a link points to may have none."""
    path = make(HEAD + "data: a.xyz\n", "store/1f2e3d")
    (tmp_path / "a.xyz").symlink_to("store/1f2e3d")
    done = import_input(path, tmp_path / "run")
    assert list(done.files) == ["data/a.xyz"]
    assert not (tmp_path / "run" / "data" / "a.xyz").is_symlink()


def test_import_input__tables_come_in_pairs(make, tmp_path):
    names = ("d/structures.parquet", "d/atoms.parquet")
    done = import_input(make(HEAD + "data: d/structures.parquet\n", *names), tmp_path / "run")
    assert sorted(done.files) == ["data/d/atoms.parquet", "data/d/structures.parquet"]


def test_import_input__notices(pytestconfig, tmp_path):
    shutil.copy(pytestconfig.rootpath / "tests" / "config" / "pacemaker-input.yaml", tmp_path / "input.yaml")
    write_atoms([bulk("Al")], tmp_path / "x.db")
    (tmp_path / "x.db").rename(tmp_path / "alloy.pckl.gzip")
    done = import_input(tmp_path / "input.yaml", tmp_path / "run")
    assert any("evaluator" in notice for notice in done.notices)
    assert list(done.files) == ["data/alloy.pckl.gzip"]


def test_import_input__example_of_pacemaker(tmp_path):
    done = import_input(shared_path("data", "pace_Cu-I", "input.yaml"), tmp_path / "run")
    assert len(done.files) == 1
    assert done.notices


def test_import_input__overwrites_only_when_told(make, tmp_path):
    path, target = make(HEAD + "data: a.xyz\n", "a.xyz"), tmp_path / "run"
    target.mkdir()
    import_input(path, target)
    (target / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="exists already"):
        import_input(path, target)
    import_input(path, target, force=True)
    assert (target / "notes.txt").read_text() == "mine"
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="exists already"):
        import_input(path, tmp_path / "file", force=True)
    with pytest.raises(ConfigError, match="holds the input itself"):
        import_input(path, tmp_path, force=True)


def test_import_input__leaves_nothing_when_a_file_is_missing(make, tmp_path):
    with pytest.raises(ConfigError, match=r"input.yaml:8: data.filename: no file 'a.xyz'"):
        import_input(make(HEAD + "data:\n  filename: a.xyz\n"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_import_input__refuses_several_runs_and_bad_input(make, tmp_path):
    with pytest.raises(ConfigError, match="runs, sweep and active are not imported"):
        import_input(make(HEAD + "data: a.xyz\nsweep: {fit.maxiter: [1, 2]}\n", "a.xyz"), tmp_path / "run")
    with pytest.raises(ConfigError, match="unknown key"):
        import_input(make(HEAD + "data: {filenam: a.xyz}\n"), tmp_path / "run")


def test_import_input__names_that_are_merged_from_elsewhere(make, tmp_path):
    text = HEAD + "data: {<<: {filename: a.xyz}, test_size: 0.1}\n"
    with pytest.raises(ConfigError, match="cannot be replaced here"):
        import_input(make(text, "a.xyz"), tmp_path / "run")
