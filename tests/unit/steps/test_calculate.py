import numpy as np
import pytest
from ase.calculators.emt import EMT

from acefit.data.storage import read_dataset
from acefit.data.structures import StructureSet
from acefit.errors import ActiveSetError
from acefit.steps.calculate import calculate
from round_files import far_structures, write_structures

CALCULATOR = "ase.calculators.emt.EMT"
ODD = """
from pathlib import Path
from ase.calculators.emt import EMT

class Odd(EMT):
    def calculate(self, atoms=None, *args, **options):
        super().calculate(atoms, *args, **options)
        (Path(self.directory) / "output.txt").write_text(str(atoms.get_volume()))
        if atoms.get_volume() > 130: raise ValueError("too large")
"""


def run(folder, structures, calculator=CALCULATOR, job=0, **options):
    place = folder / f"job-{job}"
    place.mkdir(exist_ok=True)
    outputs = {f"path_to_labelled_{what}": place / f"{what}.parquet" for what in ("structures", "atoms")}
    files = {**write_structures(folder, "chosen-", structures), "path_to_results": folder / "results"}
    calculate(
        **files, **outputs, path_to_files=place / "files", calculator=calculator, parameters={}, job=job, code="c", **options
    )
    return read_dataset(*outputs.values())


def test_calculate__writes_labels_of_the_calculator(tmp_path):
    far = far_structures()
    labelled = run(tmp_path, far)
    atoms = far.to_ase(0)
    atoms.calc = EMT()
    assert labelled.raw_energies[0] == pytest.approx(atoms.get_potential_energy(force_consistent=True))
    np.testing.assert_allclose(labelled.structures.forces[:8], atoms.get_forces(), atol=1e-12)
    assert labelled.structures.has_stress.all()
    assert labelled.rows.tolist() == [0, 1, 2, 3]
    assert len(list((tmp_path / "results").glob("*.json"))) == 4


@pytest.mark.parametrize("n_jobs", [3, 5])
def test_calculate__jobs_have_every_structure_once(tmp_path, n_jobs):
    parts = [run(tmp_path, far_structures(), job=job, n_jobs=n_jobs) for job in range(n_jobs)]
    assert [part.rows.tolist() for part in parts] == [list(range(job, 4, n_jobs)) for job in range(n_jobs)]
    whole = run(tmp_path, far_structures())
    for part in parts:
        assert np.array_equal(part.raw_energies, whole.raw_energies[part.rows])


def test_calculate__of_nothing_needs_no_calculator(tmp_path):
    assert run(tmp_path, StructureSet.from_ase([]), "absent.calculator").structures.n_structures == 0


def test_calculate__says_what_fails(tmp_path):
    with pytest.raises(ActiveSetError, match=r"'absent\.calculator' cannot be made"):
        run(tmp_path, far_structures(), "absent.calculator")


def test_calculate__leaves_out_what_fails_with_a_warning(tmp_path, caplog):
    (tmp_path / "odd_calculator_for_a_test.py").write_text(ODD)
    odd = {"calculator": "odd_calculator_for_a_test.Odd", "folders": [tmp_path]}
    with pytest.raises(ActiveSetError, match="failed: ValueError: too large"):
        run(tmp_path, far_structures(), **odd)
    labelled = run(tmp_path, far_structures(), on_failure="leave_out", **odd)
    assert labelled.rows.tolist() == [0, 1]
    assert "structure 2 is left out: ValueError: too large" in caplog.text
    assert run(tmp_path, far_structures(), on_failure="leave_out", job=1, n_jobs=2, **odd).rows.tolist() == [1]
    # Each job has its own folder for the files of the calculator
    assert [(tmp_path / f"job-{job}/files/output.txt").exists() for job in range(2)] == [True, True]


def test_calculate__takes_no_results_of_other_code_of_the_user(tmp_path):
    far = far_structures()
    for source, kept in (("a", 4), ("a", 4), ("b", 8)):
        run(tmp_path, far, source=source)
        assert len(list((tmp_path / "results").glob("*.json"))) == kept
