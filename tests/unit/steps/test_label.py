import numpy as np
import pytest
from ase.calculators.emt import EMT

from acefit.data.readers import read_files
from acefit.data.storage import read_dataset
from acefit.data.structures import StructureSet
from acefit.errors import ActiveSetError
from acefit.steps.label import label
from round_files import far_structures, write_structures

CALCULATOR = "ase.calculators.emt.EMT"


def run(folder, structures, calculator=CALCULATOR, **options):
    (folder / "label").mkdir(exist_ok=True)
    outputs = {f"path_to_labelled_{what}": folder / "label" / f"{what}.parquet" for what in ("structures", "atoms")}
    files = write_structures(folder, "chosen-", structures)
    label(**files, **outputs, path_to_results=folder / "results", calculator=calculator, parameters={}, code="c", **options)
    return read_dataset(*outputs.values())


def test_label__writes_a_dataset_that_the_next_round_reads(tmp_path):
    far = far_structures()
    labelled = run(tmp_path, far)
    atoms = far.to_ase(0)
    atoms.calc = EMT()
    assert labelled.raw_energies[0] == pytest.approx(atoms.get_potential_energy(force_consistent=True))
    np.testing.assert_allclose(labelled.structures.forces[:8], atoms.get_forces(), atol=1e-12)
    assert labelled.structures.has_stress.all()
    again = read_files([{"path": str(tmp_path / "label/structures.parquet"), "subset": "train"}])
    assert np.array_equal(again.dataset.raw_energies, labelled.raw_energies)
    assert len(list((tmp_path / "results").glob("*.json"))) == 4


def test_label__of_nothing_needs_no_calculator(tmp_path):
    assert run(tmp_path, StructureSet.from_ase([]), "absent.calculator").structures.n_structures == 0


def test_label__says_what_fails(tmp_path):
    with pytest.raises(ActiveSetError, match=r"'absent\.calculator' cannot be made"):
        run(tmp_path, far_structures(), "absent.calculator")


def test_label__leaves_out_what_fails_with_a_warning(tmp_path, caplog):
    (tmp_path / "odd_calculator_for_a_test.py").write_text(
        "from ase.calculators.emt import EMT\n"
        "class Odd(EMT):\n"
        "    def calculate(self, atoms=None, *args, **options):\n"
        "        if atoms.get_volume() > 130: raise ValueError('too large')\n"
        "        super().calculate(atoms, *args, **options)\n"
    )
    labelled = run(tmp_path, far_structures(), "odd_calculator_for_a_test.Odd", folders=[tmp_path], on_failure="leave_out")
    assert labelled.structures.n_structures == 2
    assert "structure 2 is left out: ValueError: too large" in caplog.text


def test_label__takes_no_results_of_other_code_of_the_user(tmp_path):
    far = far_structures()
    for source, kept in (("a", 4), ("a", 4), ("b", 8)):
        run(tmp_path, far, source=source)
        assert len(list((tmp_path / "results").glob("*.json"))) == kept
