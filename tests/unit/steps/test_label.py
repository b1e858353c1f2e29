import numpy as np
import pytest

from acefit.data.readers import read_files
from acefit.data.storage import Dataset, read_dataset, write_dataset
from acefit.data.structures import StructureSet
from acefit.errors import ActiveSetError
from acefit.steps.label import label
from active_sets import alloys
from round_files import write_structures


def run(folder, shares, n_chosen=4):
    """Gather jobs that have calculated these structures."""
    frames = alloys(4)
    chosen = write_structures(folder, "chosen-", StructureSet.from_ase(alloys(4, labels=False)[:n_chosen]))
    parts = []
    for job, rows in enumerate(shares):
        part = Dataset.from_structures(StructureSet.from_ase([frames[k] for k in rows]), "train", "label")
        parts.append([folder / f"{job}-of-{len(shares)}-{what}.parquet" for what in ("structures", "atoms")])
        write_dataset(Dataset(**{**vars(part), "rows": np.array(rows, dtype=np.int64)}), *parts[-1])
    outputs = {f"path_to_labelled_{what}": folder / f"{what}.parquet" for what in ("structures", "atoms")}
    structures, atoms = zip(*parts, strict=True)
    label(
        path_to_chosen_structures=chosen["path_to_structures"],
        paths_to_structures=structures,
        paths_to_atoms=atoms,
        code="c",
        **outputs,
    )
    return [path.read_bytes() for path in outputs.values()], read_dataset(*outputs.values())


def test_label__is_the_same_however_many_jobs_there_were(tmp_path):
    first, labelled = run(tmp_path, [[0, 1, 2, 3]])
    assert run(tmp_path, [[0, 3], [1], [2]])[0] == first
    assert run(tmp_path, [[0], [1], [2], [3], []])[0] == first
    assert labelled.rows.tolist() == [0, 1, 2, 3]
    assert labelled.raw_energies.tolist() == [atoms.get_potential_energy() for atoms in alloys(4)]


def test_label__writes_a_dataset_that_the_next_round_reads(tmp_path):
    _, labelled = run(tmp_path, [[0, 2], [1, 3]])
    again = read_files([{"path": str(tmp_path / "structures.parquet"), "subset": "train"}])
    assert np.array_equal(again.dataset.raw_energies, labelled.raw_energies)
    assert np.array_equal(again.dataset.structures.forces, labelled.structures.forces)


def test_label__warns_of_what_is_left_out(tmp_path, caplog):
    _, labelled = run(tmp_path, [[2], [1]])
    assert labelled.rows.tolist() == [1, 2]
    assert "2 of 4 structures are left out, since their calculations failed" in caplog.text


def test_label__of_nothing_is_nothing(tmp_path):
    assert run(tmp_path, [[], []], n_chosen=0)[1].structures.n_structures == 0


def test_label__all_failures_are_an_error(tmp_path):
    with pytest.raises(ActiveSetError, match="all 4 calculations failed; the logs of the jobs `calculate` say why"):
        run(tmp_path, [[], []])
