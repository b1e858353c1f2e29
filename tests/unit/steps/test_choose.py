import logging

import pytest

from acefit.data.storage import read_dataset
from acefit.data.structures import StructureSet
from acefit.steps.choose import choose
from round_files import far_structures, write_active_set, write_structures


def run(folder, *sets, **options):
    parts = [write_structures(folder, f"walk-{k}-", structures) for k, structures in enumerate(sets)]
    outputs = {f"path_to_chosen_{what}": folder / f"chosen-{what}.parquet" for what in ("structures", "atoms")}
    choose(
        **write_active_set(folder),
        **outputs,
        paths_to_structures=[part["path_to_structures"] for part in parts],
        paths_to_atoms=[part["path_to_atoms"] for part in parts],
        code="c",
        **{"most": 2, "reject_above": 1e6, **options},
    )
    return read_dataset(*outputs.values()).structures


NOTHING = StructureSet.from_ase([])


def test_choose__takes_what_is_new_of_all_walks(tmp_path):
    far = far_structures()
    chosen = run(tmp_path, NOTHING, far.select([0, 1, 2]), far.select([3]))
    assert chosen.n_structures == 2
    assert chosen.volumes.min() > 1.2 * far.volumes[0]
    assert run(tmp_path, far, most=1).n_structures == 1


def test_choose__rejects_what_is_too_far(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "acefit"):
        chosen = run(tmp_path, far_structures(), reject_above=2.0)
    assert chosen.n_structures == 0
    assert "2 candidates have a gamma above 2 and are not labelled" in caplog.text


@pytest.mark.parametrize("sets", [(NOTHING,), (NOTHING, NOTHING)])
def test_choose__of_nothing_is_nothing(tmp_path, sets):
    assert run(tmp_path, *sets).n_structures == 0
