from pathlib import Path

import numpy as np
import pytest
from ase.calculators.calculator import CalculatorSetupError
from ase.calculators.emt import EMT
from ase.calculators.espresso import EspressoProfile
from ase.calculators.lj import LennardJones

from acefit.active.labelling import label_structures, load_calculator
from acefit.errors import ActiveSetError
from active_sets import alloys


class Failing(EMT):
    """Fails for structures with more than so many atoms of copper."""

    calls = 0

    def __init__(self, most=2, value=None):
        super().__init__()
        self.most, self.value = most, value

    def calculate(self, atoms=None, properties=None, system_changes=()):
        type(self).calls += 1
        if (atoms.numbers == 29).sum() > self.most:
            raise CalculatorSetupError("no convergence")
        super().calculate(atoms, properties or ["energy"], system_changes)
        if self.value is not None:
            self.results["energy"] = self.results["free_energy"] = self.value


def test_load_calculator__takes_classes_and_functions_of_modules(tmp_path):
    assert isinstance(load_calculator("ase.calculators.lj.LennardJones", {"sigma": 2.0}), LennardJones)
    (tmp_path / "my_labels_for_a_test.py").write_text("from ase.calculators.emt import EMT\ndef make(): return EMT()\n")
    assert isinstance(load_calculator("my_labels_for_a_test.make", {}, [tmp_path]), EMT)


@pytest.mark.parametrize("name", ["ase.calculators.lj.LennardJones", "ase.calculators.espresso.Espresso"])
def test_load_calculator__files_go_into_the_given_folder(tmp_path, name):
    profile = {"profile": EspressoProfile("pw.x", "pseudo")} if "espresso" in name else {}
    calculator = load_calculator(name, {"directory": "elsewhere", **profile}, [], tmp_path / "files")
    assert Path(calculator.directory) == tmp_path / "files"


def test_load_calculator__a_calculator_without_files_is_left_alone(tmp_path):
    (tmp_path / "no_files_for_a_test.py").write_text(
        "class Plain:\n    __slots__ = ()\n    get_potential_energy = get_forces = None\n"
    )
    assert not hasattr(load_calculator("no_files_for_a_test.Plain", {}, [tmp_path], tmp_path), "directory")


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("absent_module.make", {}, "'absent_module.make' cannot be made: ModuleNotFoundError"),
        ("ase.calculators.emt.Absent", {}, "cannot be made: AttributeError"),
        ("decimal.Decimal", {"colour": 1}, "cannot be made: TypeError"),
        ("collections.OrderedDict", {}, "gives a OrderedDict, which is no ASE calculator"),
    ],
)
def test_load_calculator__one_error_for_what_is_none(name, parameters, message):
    with pytest.raises(ActiveSetError, match=message):
        load_calculator(name, parameters)


def test_label_structures__gives_energies_forces_and_stresses(tmp_path):
    frames = alloys(2, labels=False)
    frames[1].pbc = False
    found = label_structures(frames, EMT(), tmp_path, {})
    assert found.failed == []
    for atoms, labelled in zip(frames, found.structures, strict=True):
        atoms.calc = EMT()
        assert labelled.get_potential_energy() == pytest.approx(atoms.get_potential_energy(force_consistent=True), abs=1e-12)
        np.testing.assert_allclose(labelled.get_forces(), atoms.get_forces(), atol=1e-12)
    np.testing.assert_allclose(found.structures[0].get_stress(), frames[0].get_stress(), atol=1e-12)
    assert "stress" not in found.structures[1].calc.results


def test_label_structures__takes_what_was_calculated_before(tmp_path):
    frames = alloys(2, labels=False)
    first = label_structures(frames, Failing(), tmp_path, {"cutoff": 30})
    calls = Failing.calls
    again = label_structures(frames, Failing(), tmp_path, {"cutoff": 30})
    assert Failing.calls == calls
    assert [a.get_potential_energy() for a in again.structures] == [a.get_potential_energy() for a in first.structures]
    label_structures(frames, Failing(), tmp_path, {"cutoff": 40})
    assert Failing.calls > calls


def test_label_structures__a_failure_stops_or_is_left_out(tmp_path):
    frames = alloys(4, labels=False)
    with pytest.raises(
        ActiveSetError, match=r"of structure alloy-2 failed: CalculatorSetupError: no convergence; mend its input"
    ):
        label_structures(frames, Failing(), tmp_path, {})
    found = label_structures(frames, Failing(), tmp_path, {}, "leave_out")
    assert len(found.structures) == 2
    assert found.failed == [(k, "CalculatorSetupError: no convergence") for k in (2, 3)]


def test_label_structures__infinite_results_are_errors(tmp_path):
    with pytest.raises(ActiveSetError, match="results are not finite numbers"):
        label_structures(alloys(1, labels=False), Failing(value=float("nan")), tmp_path / "other", {})


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"energy": 1.0}', '{"energy": NaN, "forces": [[0, 0, 0]]}'])
def test_label_structures__damaged_results_are_calculated_again(tmp_path, caplog, content):
    frames = alloys(1, labels=False)
    first = label_structures(frames, EMT(), tmp_path, {})
    (kept,) = tmp_path.glob("*.json")
    kept.write_text(content)
    again = label_structures(frames, EMT(), tmp_path, {})
    assert "is damaged; its structure is calculated again" in caplog.text
    assert again.structures[0].get_potential_energy() == first.structures[0].get_potential_energy()
