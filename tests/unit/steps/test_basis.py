from pathlib import Path

import pytest

from acefit.artifacts import content_digest, read_frame
from acefit.basis.expansion import build_target
from acefit.errors import ConfigError
from acefit.files import read_sealed, read_yaml
from acefit.fit.repulsion import with_automatic_repulsion
from acefit.potential.bbasis import read_potential, write_potential
from acefit.potential.parameters import parameter_vector
from acefit.steps.basis import basis
from bases import BONDS, TWO_ELEMENTS, section, shape

FUNCTIONS = {"ALL": shape([3, 2, 1], [0, 1, 1])}


def run(folder: Path, potential=None, fit=None, seed=None, own_core=False):
    paths = {name: folder / f"{name}.yaml" for name in ("target", "ladder", "start")}
    basis(
        potential=section("Al Ni", FUNCTIONS) if potential is None else potential,
        fit={} if fit is None else fit,
        seed=seed,
        own_core=own_core,
        path_to_target=paths["target"],
        path_to_functions=folder / "functions.parquet",
        path_to_ladder=paths["ladder"],
        path_to_steps=folder / "steps",
        path_to_start=paths["start"],
    )
    return read_yaml(paths["ladder"])


def test_basis__writes_the_plan_and_every_step(tmp_path):
    plan = run(tmp_path, fit={"ladder_step": [6, 0.5], "ladder_type": "power_order", "ladder_mode": "total"})
    sizes = [step["n_functions"] for step in plan["steps"]]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == plan["target"]["n_functions"] == read_potential(tmp_path / "target.yaml").n_functions
    for number, step in enumerate(plan["steps"]):
        path = tmp_path / "steps" / step["file"]
        assert step["file"] == f"step-{number:02d}.yaml"
        assert step["sha256"] == content_digest(path)
        potential = read_potential(path)
        assert potential.n_functions == step["n_functions"]
        assert parameter_vector(potential).size == step["n_parameters"]
    assert read_potential(tmp_path / "start.yaml").n_functions == 0
    assert plan["start"]["sha256"] == content_digest(tmp_path / "start.yaml")
    assert sum(plan["steps"][0]["added"].values()) == 6


def test_basis__lists_every_function_with_its_step(tmp_path):
    plan = run(tmp_path, fit={"ladder_step": 5, "ladder_type": "body_order", "ladder_mode": "block"})
    table = read_frame(tmp_path / "functions.parquet", "functions")
    assert len(table) == plan["target"]["n_functions"]
    assert table["step"].value_counts().sort_index().tolist() == [sum(s["added"].values()) for s in plan["steps"]]
    assert set(table["block"]) == {"Al", "Ni", "Al Ni", "Ni Al"}
    first = table.iloc[0]
    assert (first["element"], first["neighbours"], first["n"], first["l"], first["lint"]) == ("Al", "Al", "1", "0", "")
    assert (first["power"], first["first_parameter"], first["n_parameters"]) == (2, plan["target"]["n_radial"], 2)


def test_basis__without_ladder_has_one_step_that_is_the_target(tmp_path):
    plan = run(tmp_path, fit={"ladder_step": None, "ladder_type": None, "ladder_mode": None})
    assert len(plan["steps"]) == 1
    assert read_sealed(tmp_path / "start.yaml")[0] == read_sealed(tmp_path / "steps" / "step-00.yaml")[0]
    assert set(read_frame(tmp_path / "functions.parquet", "functions")["step"]) == {-1}


def test_basis__of_a_file_that_already_holds_everything_still_has_a_step(tmp_path):
    setting = {"filename": str(TWO_ELEMENTS), "initial_potential": str(TWO_ELEMENTS)}
    plan = run(tmp_path, setting, {"ladder_step": 3})
    assert [step["added"] for step in plan["steps"]] == [{}]
    assert plan["steps"][0]["n_functions"] == 11


def test_basis__gives_the_same_bytes_again_and_removes_old_steps(tmp_path):
    run(tmp_path, fit={"ladder_step": 2})
    many = sorted(path.name for path in (tmp_path / "steps").iterdir())
    run(tmp_path, fit={"ladder_step": 9})
    first = {path.name: path.read_bytes() for path in (tmp_path / "steps").iterdir()}
    run(tmp_path, fit={"ladder_step": 9})
    assert {path.name: path.read_bytes() for path in (tmp_path / "steps").iterdir()} == first
    assert len(first) < len(many)


@pytest.mark.parametrize(("number", "is_too_many"), [(5, False), (5000, True)])
def test_basis__says_when_it_has_fewer_functions_than_asked_for(tmp_path, caplog, number, is_too_many):
    plan = run(tmp_path, section("Al Ni", {**FUNCTIONS, "number_of_functions_per_element": number}))
    expected = (
        f"{number} asked for, {2 * number} in all; nradmax_by_orders and lmax_by_orders give only {plan['target']['n_functions']}"
    )
    assert (expected in caplog.text) == is_too_many


def test_basis__refuses_an_unknown_ladder_setting(tmp_path):
    with pytest.raises(ConfigError, match="fit: unknown key 'ladder_steps'; did you mean ladder_step"):
        run(tmp_path, fit={"ladder_steps": 3})


def test_basis__says_which_settings_the_initial_potential_keeps(tmp_path, caplog):
    write_potential(build_target(section("Al", {"ALL": shape([2], [0])})), tmp_path / "al.yaml")
    bonds = {"ALL": {**BONDS["ALL"], "rcut": 6}}
    run(tmp_path, section("Al Ni", FUNCTIONS, bonds=bonds) | {"initial_potential": str(tmp_path / "al.yaml")})
    assert "potential: bond Al-Al: rcut stays 5.0 of the initial potential; 6.0 is not used" in caplog.text
    assert caplog.text.count("is not used") == 1


@pytest.mark.parametrize("own_core", [False, True])
def test_basis__a_fit_does_not_train_behind_the_core_of_a_finished_potential(tmp_path, own_core):
    finished = with_automatic_repulsion(build_target(section("Al", {"ALL": shape([2], [0])})), {("Al", "Al"): 2.3})
    write_potential(finished, tmp_path / "al.yaml")
    again = section("Al", {"ALL": shape([2], [0])}) | {"initial_potential": str(tmp_path / "al.yaml")}
    run(tmp_path, again, own_core=own_core)
    start = read_potential(tmp_path / "steps" / "step-00.yaml")
    assert (start.bonds["Al", "Al"].rcut_in == 0.0) == own_core
    assert (start.bonds["Al", "Al"].inner_cutoff_type == "zbl") != own_core
    assert (start.embeddings["Al"].rho_core_cut == 1.0) != own_core
