"""Each stage gets what it uses and nothing else: what a changed key reruns follows from these subsets."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from acefit.config import stages
from acefit.config.loading import load_config, validate_config
from acefit.errors import ConfigError

BASE = {
    "seed": 5,
    "potential": {
        "elements": ["Ni", "Al"],
        "embeddings": {"ALL": {"npot": "FinnisSinclair", "fs_parameters": [1, 1], "ndensity": 1}},
        "bonds": {"ALL": {"radbase": "SBessel", "radparameters": [5.25], "rcut": 6}, "AlNi": {"rcut": 6.5}},
        "functions": {"ALL": {"nradmax_by_orders": [2], "lmax_by_orders": [0]}},
    },
    "data": {"filename": "a.xyz"},
    "fit": {"loss": {"kappa": 0.3}, "ladder_step": 3},
}
POTENTIAL = """\
global: {DeltaSplineBins: 0.001}
species:
  - {speciesblock: Al, rcutij: 5.5, nbody: []}
  - speciesblock: Ni
    rcutij: 7.25
metadata:
  reference_energy: '{"Al": -1.5, "Ni": -0.7,
    "shift": 0.1}'
  user: somebody
"""


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.xyz", "b.xyz", "weights.pckl.gzip", "atoms.csv"):
        Path(name).write_text("", encoding="utf-8")
    Path("old.yaml").write_text(POTENTIAL, encoding="utf-8")


def config_with(**changes):
    """Base configuration with dotted keys changed, `__` for the dot."""
    data = copy.deepcopy(BASE)
    for path, value in changes.items():
        *parents, last = path.split("__")
        section = data
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    return validate_config(data)


SUBSETS = {
    "dataset": stages.dataset_params,
    "neighborlists": stages.neighborlists_params,
    "split": stages.split_params,
    "weights": stages.weights_params,
    "basis": stages.basis_params,
    "fit": lambda config: stages.fit_params(config, 1),
    "first": lambda config: stages.fit_params(config, 0),
    "select": stages.select_params,
    "potential": stages.potential_params,
    "export": stages.export_params,
    "predict": stages.predict_params,
}
FITS = {"fit", "first"}


@pytest.mark.parametrize(
    ("change", "stages_concerned"),
    [
        ({"fit__loss__kappa": 0.5}, FITS),
        ({"fit__loss__L1_coeffs": 1e-8}, FITS),
        ({"fit__loss__w2_rad": 1e-8}, FITS),
        ({"fit__optimizer": "CG"}, FITS),
        ({"fit__maxiter": 7}, FITS),
        ({"fit__options": {"gtol": 1e-5}}, FITS),
        ({"fit__options": {"disp": True}}, set()),
        ({"fit__trainable_parameters": "func"}, FITS),
        ({"fit__callbacks": "a.b"}, FITS),
        ({"backend__display_step": 3}, FITS),
        ({"backend__tables": True}, FITS | {"predict"}),
        ({"export__e0": "references", "data__reference_energy": "auto"}, {"export", "dataset"}),
        ({"fit__fit_cycles": 4}, set()),
        ({"fit__fit_cycles": 4, "fit__noise_relative_sigma": 0.1}, {"fit"}),
        ({"fit__fit_cycles": 4, "fit__randomize_func_coeffs": 0.1}, {"fit", "select"}),
        ({"fit__ladder_step": 4}, {"basis"}),
        ({"fit__ladder_mode": "total"}, {"basis"}),
        ({"fit__weighting": {"type": "EnergyBasedWeightingPolicy"}}, {"weights"}),
        ({"fit__weighting": {"type": "UniformWeightingPolicy"}}, set()),
        ({"fit__weighting": {"type": "ExternalWeightingPolicy", "filename": "weights.pckl.gzip"}}, {"weights"}),
        ({"data__ignore_weights": True}, {"weights"}),
        ({"data__test_size": 0.1}, {"split"}),
        ({"data__test_filename": "b.xyz"}, {"dataset"}),
        ({"data__reference_energy": "auto"}, {"dataset"}),
        ({"data__energy_key": "E"}, {"dataset"}),
        ({"data__shards": 3}, {"neighborlists"}),
        ({"potential__functions__ALL__nradmax_by_orders": [3]}, {"basis"}),
        ({"potential__bonds__AlNi__rcut": 6.2}, {"basis", "neighborlists"}),
        ({"potential__bonds__ALL__rcut": 5.0}, {"basis"}),
        ({"potential__functions__ALL__coefs_init": "random"}, {"basis"}),
        ({"fit__repulsion": "auto"}, {"potential"}),
        ({"metadata": {"comment": "x"}}, {"potential"}),
        ({"seed": 6}, FITS),
        ({"backend__evaluator": "pyace", "backend__n_workers": 3}, set()),
        ({"fit__max_memory": 1000}, set()),
        ({"name": "other"}, set()),
        ({"cutoff": 6.5}, set()),
    ],
)
def test_subsets__change_only_for_the_stages_concerned(change, stages_concerned):
    before, after = config_with(), config_with(**change)
    assert {name for name, subset in SUBSETS.items() if subset(before) != subset(after)} == stages_concerned


@pytest.mark.parametrize("name", SUBSETS)
def test_subsets__are_plain(name):
    subset = SUBSETS[name](config_with(fit__weighting={"type": "EnergyBasedWeightingPolicy"}, data__test_size=0.1))
    assert json.loads(json.dumps(subset)) == subset


def test_seed__reaches_the_stages_that_draw():
    config = config_with(
        seed=9,
        data__test_size=0.1,
        potential__functions__ALL__coefs_init="random",
        fit__weighting={"type": "EnergyBasedWeightingPolicy"},
    )
    assert stages.split_params(config)["seed"] == stages.basis_params(config)["seed"] == 9
    assert stages.weights_params(config)["weighting"]["seed"] == 9
    assert stages.split_params(config_with())["seed"] is stages.basis_params(config_with())["seed"] is None


def test_split_params__say_whether_single_atoms_give_the_references():
    assert stages.split_params(config_with(data__test_size=0.1, data__reference_energy="isolated"))["has_isolated_references"]
    assert not stages.split_params(config_with(data__reference_energy="isolated"))["has_isolated_references"]
    assert not stages.split_params(config_with(data__test_size=0.1))["has_isolated_references"]


def test_weights_params__keeps_the_policy_s_own_seed():
    config = config_with(fit__weighting={"type": "EnergyBasedWeightingPolicy", "seed": 3})
    assert stages.weights_params(config)["weighting"]["seed"] == 3


def test_weights_params__resolves_the_weight_file():
    config = config_with(fit__weighting={"type": "ExternalWeightingPolicy", "filename_or_df": "weights.pckl.gzip"})
    assert stages.weights_params(config)["weighting"] == {
        "type": "ExternalWeightingPolicy",
        "filename": "weights.pckl.gzip",
        "joint": False,
    }
    with pytest.raises(ConfigError, match=r"fit\.weighting\.filename: no file 'absent'"):
        stages.weights_params(config_with(fit__weighting={"type": "ExternalWeightingPolicy", "filename": "absent"}))


def test_basis_params__are_complete_and_canonical():
    section = stages.basis_params(config_with())["potential"]
    assert section["elements"] == ["Al", "Ni"]
    assert section["bonds"]["ALL"]["inner_cutoff_type"] == "distance"
    assert section["bonds"]["AlNi"] == {"rcut": 6.5}
    assert section["functions"] == {"ALL": {"coefs_init": "zero", "nradmax_by_orders": [2], "lmax_by_orders": [0]}}


def test_basis_params__do_not_let_a_default_undo_a_choice():
    functions = {
        "ALL": {"nradmax_by_orders": [2], "lmax_by_orders": [0], "coefs_init": "random"},
        "UNARY": {"lmax_by_orders": [0]},
    }
    section = stages.basis_params(config_with(potential__functions=functions))["potential"]
    assert "coefs_init" not in section["functions"]["UNARY"]


def test_basis_params__pass_on_the_limit():
    functions = {**BASE["potential"]["functions"], "number_of_functions_per_element": 4, "number_of_functions_mode": "element"}
    section = stages.basis_params(config_with(potential__functions=functions))["potential"]
    assert section["functions"]["number_of_functions_per_element"] == 4
    assert section["functions"]["number_of_functions_mode"] == "element"


def test_basis_params__of_a_file():
    config = config_with(potential={"filename": "old.yaml", "reset": True})
    assert stages.basis_params(config)["potential"] == {
        "filename": "old.yaml",
        "reset": True,
        "deltaSplineBins": None,
        "overwrite_blocks_from_initial_bbasis": False,
        "initial_potential": [],
    }


def test_fit_params__drop_options_that_only_print():
    config = config_with(fit__options={"disp": True, "gtol": "1e-5"})
    assert stages.fit_params(config, 0)["fit"]["options"] == {"gtol": 1e-5}


def test_fit_params__tell_where_callbacks_are_found():
    assert stages.fit_params(config_with(), 0)["fit"]["callback_folders"] == []
    assert stages.fit_params(config_with(fit__callbacks="a.b"), 0)["fit"]["callback_folders"] == [".", "."]


@pytest.mark.parametrize(
    ("fit", "kind"),
    [({}, "chain"), ({"randomize_func_coeffs": 0.1}, "parallel"), ({"randomize_func_coeffs": 0.1, "restarts": "chain"}, "chain")],
)
def test_restarts__follow_the_randomisation(fit, kind):
    assert stages.restarts(config_with(fit=fit)) == kind


def test_fit_memory__is_a_resource():
    assert stages.fit_memory(config_with()) is None
    assert stages.fit_memory(config_with(fit__max_memory="2e3")) == 2000


def test_neighbor_cutoff__is_the_largest_of_all_pairs():
    assert stages.neighbor_cutoff(config_with()) == 6.5


def test_neighbor_cutoff__counts_potential_files():
    assert stages.neighbor_cutoff(config_with(potential="old.yaml")) == 7.25
    assert stages.neighbor_cutoff(config_with(potential__initial_potential="old.yaml")) == 7.25


def test_potential_files__of_either_kind_say_cutoff_and_elements():
    lines = 'elements: [Al, "No"]\nbonds:\n  [0, 0]: {rcut: 5.5, rcut_in: 9}\n  [0, 1]: {rcut: 7.75, dcut: 0.1}\n'
    Path("start.yace").write_text(lines, encoding="utf-8")
    config = config_with(potential="start.yace")
    assert stages.neighbor_cutoff(config) == 7.75
    assert stages.potential_elements(config) == ["Al", "No"]


def test_neighbor_cutoff__explains_foreign_files():
    Path("empty.yaml").write_text("a: 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"empty\.yaml: no bond \(rcutij or rcut\) in this file; is it a potential\?"):
        stages.neighbor_cutoff(config_with(potential="empty.yaml"))


def test_dataset_params__name_the_elements_of_the_potential():
    assert stages.dataset_params(config_with())["reading"]["elements"] == ["Al", "Ni"]
    assert stages.dataset_params(config_with(potential="old.yaml"))["reading"]["elements"] == ["Al", "Ni"]


def test_potential_files__are_found_beside_the_configuration(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    Path("input.yaml").write_text(yaml.safe_dump({**BASE, "potential": {"filename": "old.yaml"}}), encoding="utf-8")
    monkeypatch.chdir("elsewhere")
    assert stages.potential_files(load_config(tmp_path / "input.yaml")) == [str(tmp_path / "old.yaml")]


def test_potential_files__list_the_places():
    with pytest.raises(ConfigError, match=r"potential\.initial_potential\[1\]: no file 'absent\.yaml'; looked for\n  /"):
        stages.potential_files(config_with(potential__initial_potential=["old.yaml", "absent.yaml"]))


def test_data_files__know_their_subset():
    assert stages.data_files(config_with()) == [{"path": "a.xyz", "subset": "data"}]
    files = stages.data_files(config_with(data__test_filename=["b.xyz"]))
    assert files == [{"path": "a.xyz", "subset": "train"}, {"path": "b.xyz", "subset": "test"}]


def test_reference_energy__comes_from_the_potential_when_not_given():
    stored = {"Al": -1.5, "Ni": -0.7, "shift": 0.1}
    assert stages.reference_energy(config_with(potential="old.yaml")) == stored
    assert stages.reference_energy(config_with(potential__initial_potential=["old.yaml"])) == stored
    assert stages.reference_energy(config_with(potential="old.yaml", data__reference_energy=0)) == 0
    assert stages.reference_energy(config_with()) is None


def test_reference_energy__wants_agreement():
    Path("other.yaml").write_text(POTENTIAL.replace("-1.5", "-1.6"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"old\.yaml, other\.yaml were fitted with different ones; say which to use"):
        stages.reference_energy(config_with(potential__initial_potential=["old.yaml", "other.yaml"]))


def test_reference_energy__explains_what_it_cannot_read():
    Path("bad.yaml").write_text("metadata: {reference_energy: '[1]'}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad\.yaml: reference_energy in its metadata cannot be read"):
        stages.reference_energy(config_with(potential="bad.yaml"))


def test_reference_files__resolve_a_table():
    config = config_with(data__reference_energy="atoms.csv")
    assert stages.reference_files(config) == [stages.reference_energy(config)] == ["atoms.csv"]
    assert stages.reference_files(config_with(data__reference_energy="auto")) == []


def test_dataset_digest__depends_on_data_settings_alone():
    digest = stages.dataset_digest(config_with())
    assert len(digest) == 10
    assert digest == stages.dataset_digest(config_with(fit__maxiter=3, data__test_size=0.2, seed=1))
    assert digest != stages.dataset_digest(config_with(data__group_key="kind"))


def test_split_and_weights_digest__depend_on_their_settings_alone():
    names = (stages.split_digest(config_with()), stages.weights_digest(config_with()))
    same = config_with(fit__loss__kappa=0.1, potential__functions__ALL__nradmax_by_orders=[3], fit__maxiter=3)
    assert (stages.split_digest(same), stages.weights_digest(same)) == names
    weighted = config_with(fit__weighting={"type": "EnergyBasedWeightingPolicy"})
    assert stages.split_digest(weighted) == names[0]
    assert stages.weights_digest(weighted) != names[1]
    divided = config_with(data__test_size=0.2)
    assert not {stages.split_digest(divided), stages.weights_digest(divided)} & set(names)


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("mine", "x/input.yaml", "mine"),
        (None, "x/copper.yaml", "copper"),
        (None, "x/pace_Cu-I/input.yaml", "pace_Cu-I"),
        (None, "/my data (1)/config.yaml", "my-data-1"),
        (None, "/input.yaml", "fit"),
    ],
)
def test_run_name__says_something(name, path, expected):
    assert stages.run_name(config_with(name=name), path) == expected


def test_run_name__without_file_is_that_of_the_folder(tmp_path):
    assert stages.run_name(config_with()) == tmp_path.name.strip("-.")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "cannot be read as a potential file"),
        (b"rcutij: 1e-e\n", r"a cutoff \(rcutij or rcut\) is not a number"),
    ],
)
def test_neighbor_cutoff__names_potentials_it_cannot_read(tmp_path, content, message):
    (tmp_path / "p.yaml").write_bytes(content)
    (tmp_path / "input.yaml").write_text("potential: p.yaml\ndata: {filename: x.xyz}\n")
    with pytest.raises(ConfigError, match=rf"p\.yaml: {message}"):
        stages.neighbor_cutoff(load_config(tmp_path / "input.yaml"))


def test_reference_energy__does_not_unfold_metadata(tmp_path):
    aliases = "".join(f"  a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 60))
    (tmp_path / "p.yaml").write_text(f"metadata:\n  a0: &a0 [x]\n{aliases}")
    (tmp_path / "input.yaml").write_text("potential: p.yaml\ndata: {filename: x.xyz}\n")
    with pytest.raises(ConfigError, match="reference_energy in its metadata cannot be read: aliases"):
        stages.reference_energy(load_config(tmp_path / "input.yaml"))
