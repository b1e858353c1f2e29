import bz2
import gzip
import shutil

import pytest

from acefit.collect.search import CP2K, CP2K_TRAJECTORY, Output, cp2k_outputs, find_outputs, plain_file
from acefit.errors import DataError


def test_find_outputs__known_by_their_content(outputs):
    found = find_outputs([outputs])
    kinds = {output.path.relative_to(outputs): output.kind for output in found.outputs}
    expected = {"abinit": "abinit-out", "cp2k": CP2K, "espresso": "espresso-out", "gpaw": "gpaw-out", "nwchem": "nwchem-out"}
    trajectories = [path for path in kinds if "-pos-" in path.name]
    assert kinds == {path: CP2K_TRAJECTORY if path in trajectories else expected[path.parts[0]] for path in kinds}
    assert [path.parent.name for path in trajectories] == ["cellopt", "geo", "md"]
    files = [path for path in outputs.rglob("*") if path.is_file() and path.suffix not in (".cell", ".stress")]
    assert len(kinds) == len([path for path in files if "-frc-" not in path.name]) - 3  # main outputs beside trajectories
    assert found.unknown == []
    assert found.outputs == sorted(found.outputs)


def test_find_outputs__main_outputs_of_cp2k_are_read_with_their_trajectories(tmp_path, outputs):
    folder = shutil.copytree(outputs / "cp2k" / "geo", tmp_path / "geo")
    shutil.copy(outputs / "cp2k" / "opt" / "cp2k.out.gz", folder / "opt.out.gz")  # of another project
    (folder / "slurm.out").write_text("job started\n")
    found = find_outputs([tmp_path])
    assert [output.path.name for output in found.outputs] == ["opt.out.gz", "water-pos-1.xyz"]
    assert [path.name for path in found.unknown] == ["slurm.out"]
    assert [path.name for path in cp2k_outputs(folder / "water-pos-1.xyz")] == ["cp2k.out.gz"]
    assert [output.path.name for output in find_outputs([tmp_path], ["*.out.gz"]).outputs] == ["cp2k.out.gz", "opt.out.gz"]


def test_find_outputs__of_vasp_one_file_of_a_folder(tmp_path):
    for name in ("a/OUTCAR", "a/vasprun.xml", "b/vasprun.xml.gz", "c/OUTCAR.1", "c/OUTCAR.2", "d/OUTCAR.gz", "d/relax.OUTCAR"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [output.path.relative_to(tmp_path).as_posix() for output in find_outputs([tmp_path]).outputs]
    assert names == ["a/OUTCAR", "b/vasprun.xml.gz", "c/OUTCAR.1", "c/OUTCAR.2", "d/OUTCAR.gz"]


def test_find_outputs__tells_what_is_none(tmp_path):
    (tmp_path / "abinit.log").write_text(".Version 9.6.2 of ABINIT\n === Build Information ===\n")
    (tmp_path / "slurm.out").write_text("job started\n")
    (tmp_path / "broken.out.gz").write_bytes(b"no gzip")
    (tmp_path / "structure.cif").write_text("data_\n")
    found = find_outputs([tmp_path])
    assert found.outputs == []
    assert [path.name for path in found.unknown] == ["abinit.log", "broken.out.gz", "slurm.out"]


def test_find_outputs__patterns_and_format(tmp_path, outputs):
    assert len(find_outputs([outputs], ["relax/pw*", "opt/cp2k*"]).outputs) == 2
    assert find_outputs([outputs / "cp2k" / "water" / "cp2k.out"]).outputs[0].kind == CP2K
    (tmp_path / "run.traj").touch()
    assert find_outputs([tmp_path], ["*.traj"], "traj").outputs == [Output(tmp_path / "run.traj", "traj")]


def test_find_outputs__refuses_what_is_not_there(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        find_outputs([tmp_path / "nothing"])
    with pytest.raises(DataError, match="format 'dft' is not known"):
        find_outputs([tmp_path], kind="dft")


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress)])
def test_plain_file__is_decompressed_under_its_name(tmp_path, suffix, pack):
    path = tmp_path / f"OUTCAR{suffix}"
    path.write_bytes(pack(b"text"))
    with plain_file(path) as plain:
        assert plain.name == "OUTCAR"
        assert plain.read_bytes() == b"text"


def test_plain_file__refuses_damage_and_bombs(tmp_path, monkeypatch):
    path = tmp_path / "OUTCAR.gz"
    path.write_bytes(gzip.compress(b"text" * 100)[:20])
    with pytest.raises(DataError, match="cannot be decompressed"), plain_file(path):
        pass
    path.write_bytes(gzip.compress(bytes(10**6)))
    monkeypatch.setattr("acefit.collect.search.fair_size", lambda path: 10**5)
    with pytest.raises(DataError, match="made to do harm"), plain_file(path):
        pass
