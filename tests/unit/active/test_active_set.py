from dataclasses import replace

import numpy as np
import pytest

from acefit.active.active_set import (
    ActiveSet,
    build_active_set,
    function_labels,
    import_functions,
    read_active_set,
    refuse_without_functions,
)
from acefit.active.asi import write_asi
from acefit.active.grade import grade_structures
from acefit.active.search import SearchSettings
from acefit.data.structures import StructureSet
from acefit.errors import ActiveSetError, DataError
from active_sets import alloys, small_potential, small_set
from bases import DATA
from models import random_potential


@pytest.mark.parametrize("kind", ["linear", "full"])
def test_build_active_set__grades_its_own_data_within_the_tolerance(kind):
    potential, structures, built = small_set(kind)
    gamma = grade_structures(potential, built.active_set, structures)
    assert gamma.max() <= 1.011
    assert gamma.max() == pytest.approx(max(summary.max_gamma for summary in built.summaries), rel=1e-6)
    for symbol, rows in built.environments.items():
        chosen = gamma[rows.atom]
        np.testing.assert_allclose(chosen, 1.0, rtol=1e-6)
        assert (structures.structure_of_atom[rows.atom] == rows.structure).all()
        (summary,) = [s for s in built.summaries if s.element == symbol]
        assert summary.rank == len(rows.atom) <= summary.functions == len(built.active_set.inverses[symbol])
        assert summary.environments > summary.rank
        assert summary.scaled_condition <= summary.condition


def test_build_active_set__warns_where_other_programs_cannot_load_the_file(caplog):
    potential, structures, _ = small_set()
    build_active_set(potential, structures.select([0]), "linear")
    assert not caplog.records
    build_active_set(potential, structures.select([0]), "full")
    assert "pacemaker and LAMMPS cannot load this full active set" in caplog.text


def test_build_active_set__in_batches_is_as_good():
    potential, structures, built = small_set()
    batched = build_active_set(potential, structures, memory=1, settings=SearchSettings(refinements=20))
    assert grade_structures(potential, batched.active_set, structures, memory=1).max() <= 1.011
    for one, other in zip(built.summaries, batched.summaries, strict=True):
        assert abs(one.log_det - other.log_det) < 0.1 * one.functions


def test_build_active_set__far_structures_have_large_grades():
    potential, _, built = small_set()
    far = StructureSet.from_ase(alloys(2, strain=0.2, seed=5))
    assert grade_structures(potential, built.active_set, far).max() > 3


def test_build_active_set__only_used_atoms_are_chosen():
    potential, structures, _ = small_set()
    used = np.arange(structures.n_atoms) % 2 == 0
    built = build_active_set(potential, structures, used=used)
    assert all((rows.atom % 2 == 0).all() for rows in built.environments.values())


def test_build_active_set__of_few_environments_says_so():
    potential, structures, _ = small_set()
    built = build_active_set(potential, structures.select([0]))
    for summary in built.summaries:
        assert summary.rank <= summary.environments < summary.functions
        assert summary.log_det == -np.inf
    assert grade_structures(potential, built.active_set, structures.select([0])).max() < 1.011
    assert grade_structures(potential, built.active_set, structures).max() > 100


def test_build_active_set__an_element_that_does_not_occur_is_all_extrapolation():
    atoms = alloys(1)[0]
    atoms.symbols[:] = "Al"
    built = build_active_set(small_potential(), StructureSet.from_ase([atoms]))
    assert [summary.rank > 0 for summary in built.summaries] == [True, False]
    alloy = StructureSet.from_ase(alloys(1))
    gamma = grade_structures(small_potential(), built.active_set, alloy)
    assert gamma[alloy.numbers == 29].min() > 100


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kind": "square"}, ActiveSetError, "'square' is not one of linear, full"),
        ({"used": np.zeros(8, dtype=bool)}, ActiveSetError, "no atom is left"),
    ],
)
def test_build_active_set__what_makes_no_sense(options, error, message):
    with pytest.raises(error, match=message):
        build_active_set(small_potential(), StructureSet.from_ase(alloys(1)), **options)


def test_build_active_set__other_elements_are_an_error():
    with pytest.raises(DataError, match="elements Al are not in the potential, which has Cu"):
        build_active_set(random_potential_of_copper(), StructureSet.from_ase(alloys(1)))


def random_potential_of_copper():
    potential = small_potential()
    bonds = {pair: bond for pair, bond in potential.bonds.items() if set(pair) == {"Cu"}}
    blocks = tuple(block for block in potential.blocks if set(block.elements) == {"Cu"})
    return replace(potential, elements=("Cu",), embeddings={"Cu": potential.embeddings["Cu"]}, bonds=bonds, blocks=blocks)


@pytest.mark.parametrize("kind", ["linear", "full"])
def test_read_active_set__gives_back_what_was_written(tmp_path, kind):
    potential, structures, built = small_set(kind)
    built.active_set.write(tmp_path / "x.asi")
    found = read_active_set(tmp_path / "x.asi", potential)
    assert found.kind == kind
    assert found.functions == function_labels(potential)
    assert np.array_equal(
        grade_structures(potential, found, structures), grade_structures(potential, built.active_set, structures)
    )


@pytest.mark.parametrize("kind", ["linear", "full"])
def test_read_active_set__tells_the_kind_of_foreign_files_by_their_sizes(tmp_path, kind):
    potential, _, built = small_set(kind)
    with (tmp_path / "x.asi").open("wb") as file:
        np.savez(file, **built.active_set.inverses)
    assert read_active_set(tmp_path / "x.asi", potential).kind == kind


def permuted(functions):
    return {symbol: [labels[1], labels[0], *labels[2:]] for symbol, labels in functions.items()}


def test_read_active_set__of_other_functions_or_elements_is_an_error(tmp_path):
    potential, _, built = small_set()
    inverses, labels, path = built.active_set.inverses, function_labels(potential), tmp_path / "x.asi"
    write_asi(path, inverses, "linear", permuted(labels))
    with pytest.raises(
        ActiveSetError, match=r"x\.asi: the active set of Al was made with other functions.*number 1 is 'Al Al nr=2"
    ):
        read_active_set(path, potential)
    write_asi(path, inverses, "linear", {symbol: names[:-1] for symbol, names in labels.items()})
    with pytest.raises(ActiveSetError, match=f"{len(labels['Al']) - 1} instead of {len(labels['Al'])}"):
        read_active_set(path, potential)
    write_asi(path, {"Al": inverses["Al"]}, "linear", {"Al": labels["Al"]})
    with pytest.raises(ActiveSetError, match="an active set of Al does not belong to a potential of Al Cu"):
        read_active_set(path, potential)
    write_asi(path, {symbol: np.eye(3) for symbol in inverses}, "linear", labels)
    with pytest.raises(ActiveSetError, match="holds matrices of Al 3, Cu 3, the potential needs linear Al"):
        read_active_set(path, potential)


def test_read_active_set__a_stored_kind_must_fit(tmp_path):
    potential, _, built = small_set()
    write_asi(tmp_path / "x.asi", built.active_set.inverses, "full", function_labels(potential))
    with pytest.raises(ActiveSetError, match="it is of another potential"):
        read_active_set(tmp_path / "x.asi", potential)


def test_check__compares_functions_and_elements():
    potential, _, built = small_set()
    built.active_set.check(potential)
    with pytest.raises(ActiveSetError, match="made with other functions"):
        ActiveSet("linear", built.active_set.inverses, permuted(built.active_set.functions)).check(potential)
    with pytest.raises(ActiveSetError, match="does not belong to a potential of Al"):
        built.active_set.check(random_potential(1))


def test_function_labels__are_readable_and_canonical():
    labels = function_labels(small_potential())
    assert labels["Al"][:4] == ["Al Al nr=1 nl=0", "Al Al nr=2 nl=0", "Al Al nr=3 nl=0", "Al Cu nr=1 nl=0"]
    assert len(set(labels["Al"])) == len(labels["Al"])


@pytest.mark.parametrize("name", ["x.yace", "X.YACE", "x.ace"])
def test_import_functions__refuses_forms_that_have_lost_the_functions(name):
    with pytest.raises(ActiveSetError, match="functions are merged; give the"):
        import_functions(name)
    refuse_without_functions("x.yaml")
    assert import_functions(DATA / "demo.yaml").elements == ("Al", "Ni")
