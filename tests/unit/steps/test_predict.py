import numpy as np
import pytest

from acefit import artifacts
from acefit.analysis.errors import tabulate_overall
from acefit.analysis.predictions import Predictions
from acefit.artifacts import made_by, read_arrays, write_table
from acefit.data.neighborlists import build
from acefit.data.storage import Dataset, write_dataset, write_shard
from acefit.data.structures import StructureSet
from acefit.errors import ArtifactError
from acefit.evaluation import parts
from acefit.files import read_yaml, write_yaml
from acefit.potential.bbasis import write_potential
from acefit.potential.model import Block, Bond, Embedding, Function, Potential
from acefit.shortrange.zbl import pair_energies
from acefit.steps.potential import potential
from acefit.steps.predict import predict


def make_potential(rcut=4.0):
    """One pair function with coefficient 1 and a linear embedding: E_i = sum over neighbours of (1 - r/rc)^2 forms."""
    bond = Bond("ChebPow", (1.0,), rcut, 0.01, np.ones((1, 1, 1)))
    function = Function(("Si", "Si"), (1,), (0,), (), (1.0,))
    embedding = Embedding("FinnisSinclairShiftedScaled", (1.0, 1.0))
    return Potential(("Si",), {"Si": embedding}, {("Si", "Si"): bond}, (Block(("Si",), (function,)),))


@pytest.fixture
def inputs(tmp_path):
    """A dimer for training, a periodic atom for testing, an isolated atom that is excluded."""
    structures = StructureSet(
        numbers=[14] * 4,
        positions=[[0, 0, 0], [0, 0, 2.0], [0, 0, 0], [0, 0, 0]],
        offsets=[0, 2, 3, 4],
        cells=[np.zeros((3, 3)), np.eye(3) * 3.0, np.zeros((3, 3))],
        pbc=[[False] * 3, [True] * 3, [False] * 3],
        energies=[1.0, 2.0, np.nan],
        forces=np.zeros((4, 3)),
        stresses=np.full((3, 6), np.nan),
        names=("dimer", "bulk", "atom"),
        groups=("", "", ""),
        ids=[0, 1, 2],
    )
    write_dataset(Dataset.from_structures(structures), tmp_path / "structures.parquet", tmp_path / "atoms.parquet")
    write_shard(build(structures, 4.0), structures, 0, tmp_path / "shard.parquet")
    weights = {
        "structure": np.arange(3),
        "subset": ["train", "test", "excluded"],
        "w_energy": np.array([1.0, 1.0, 0.0]),
        "w_stress": np.zeros(3),
        "effective_energy": np.full(3, np.nan),
        "tier": ["", "", ""],
        "reason": ["", "", "no energy"],
    }
    write_table(weights, tmp_path / "weights.parquet", "weights")
    atoms = {"structure": np.array([0, 0, 1, 2]), "atom": np.arange(4), "w_force": np.array([0.5, 0.5, 1.0, 0.0])}
    write_table(atoms, tmp_path / "weights_atoms.parquet", "weights_atoms")
    write_potential(make_potential(), tmp_path / "potential.yaml")
    return {
        "path_to_potential": tmp_path / "potential.yaml",
        "path_to_structures": tmp_path / "structures.parquet",
        "path_to_atoms": tmp_path / "atoms.parquet",
        "paths_to_shards": [tmp_path / "shard.parquet"],
        "path_to_weights": tmp_path / "weights.parquet",
        "path_to_atom_weights": tmp_path / "weights_atoms.parquet",
        "path_to_predicted_structures": tmp_path / "predicted.parquet",
        "path_to_predicted_atoms": tmp_path / "predicted_atoms.parquet",
        "path_to_cost": tmp_path / "cost.yaml",
    }


def test_predict__has_hand_computed_energies_of_all_subsets(inputs):
    predict(**inputs)
    table = read_arrays(inputs["path_to_predicted_structures"], "predicted_structures")
    # g_1 = (1 - T_1(x))/2 = 1 - r/rc for lambda = 1: two atoms with 1/2 each; six neighbours at 3 Å with 1/4
    assert np.allclose(table["energy_predicted"], [1.0, 1.5, 0.0], atol=1e-12)
    assert list(table["subset"]) == ["train", "test", "excluded"]
    assert list(table["reason"]) == ["", "", "no energy"]
    assert np.allclose(table["nn_min"], [2.0, 3.0, np.nan], equal_nan=True)
    assert np.allclose(table["force_error_max"], [0.25 * 2, 0.0, 0.0], atol=1e-12)
    assert list(table["is_low_energy"]) == [True, True, False]


def test_predict__atoms_table_adds_up_to_the_structures(inputs):
    predict(**inputs)
    structures = read_arrays(inputs["path_to_predicted_structures"], "predicted_structures")
    atoms = read_arrays(inputs["path_to_predicted_atoms"], "predicted_atoms")
    assert np.allclose(np.bincount(atoms["structure"], atoms["energy_predicted"]), structures["energy_predicted"])
    assert np.allclose(atoms["force_predicted"].sum(axis=0), 0.0, atol=1e-12)


def test_predict__says_what_an_evaluation_costs(inputs):
    predict(**inputs)
    cost = read_yaml(inputs["path_to_cost"])
    assert cost["n_functions"] == 1
    assert cost["microseconds_per_atom"] > 0


def test_predict__refuses_neighbour_lists_that_are_too_short(inputs):
    write_potential(make_potential(rcut=5.0), inputs["path_to_potential"])
    with pytest.raises(ArtifactError, match=r"reach to 4.0 Å but .* needs 5.0 Å"):
        predict(**inputs)


def test_predict__refuses_weights_of_other_structures(inputs):
    atoms = {"structure": np.array([0, 0, 1]), "atom": np.arange(3), "w_force": np.full(3, 1.0)}
    write_table(atoms, inputs["path_to_atom_weights"], "weights_atoms")
    with pytest.raises(ArtifactError, match="does not have the structures of"):
        predict(**inputs)


def test_predict__in_small_parts_has_the_same_bytes(inputs, monkeypatch):
    monkeypatch.setattr(artifacts, "ROWS_PER_GROUP", 3)
    monkeypatch.setattr(parts, "LEAST_ATOMS", 1)
    paths = [inputs["path_to_predicted_structures"], inputs["path_to_predicted_atoms"]]
    predict(**inputs)
    whole = [path.read_bytes() for path in paths]
    monkeypatch.setattr(parts, "BLOCKS_AT_ONCE", 1)
    monkeypatch.setattr(artifacts, "ROWS_AT_ONCE", 2)
    predict(**inputs)
    assert [path.read_bytes() for path in paths] == whole


def test_predict__refuses_a_dataset_and_weights_of_other_atoms(inputs):
    for key, name in (("path_to_atoms", "atoms"), ("path_to_atom_weights", "weights_atoms")):
        columns = {column: values[:-1] for column, values in read_arrays(inputs[key], name).items()}
        write_table(columns, inputs[key].with_name("short.parquet"), name)
        with pytest.raises(ArtifactError, match=r"does not (belong to|have the structures of)"):
            predict(**{**inputs, key: inputs[key].with_name("short.parquet")})


def test_predict__errors_are_those_with_the_automatic_core_repulsion(inputs, tmp_path):
    """The only training structure has 3 Å, so that the repulsion acts on the tested dimer of 2 Å, and on its errors."""
    weights = read_arrays(inputs["path_to_weights"], "weights") | {
        "subset": np.array(["test", "train", "excluded"], dtype=object)
    }
    write_table(weights, inputs["path_to_weights"], "weights", made_by("weights", "", inputs["path_to_structures"]))
    write_yaml({"reference_energy": None}, tmp_path / "references.yaml")
    shared = {name: inputs[name] for name in ("path_to_structures", "path_to_atoms", "paths_to_shards", "path_to_weights")}
    final = tmp_path / "final.yaml"
    potential(
        **shared,
        repulsion="auto",
        metadata=None,
        path_to_selected=inputs["path_to_potential"],
        path_to_references=tmp_path / "references.yaml",
        path_to_potential=final,
    )
    errors = {}
    for path in (inputs["path_to_potential"], final):
        predict(**inputs | {"path_to_potential": path})
        tables = (("predicted", "predicted_structures"), ("predicted_atoms", "predicted_atoms"))
        predictions = Predictions.from_columns(
            *(read_arrays(tmp_path / f"{name}.parquet", contract) for name, contract in tables)
        )
        rows = tabulate_overall(predictions)
        errors[path] = rows[rows["structures"] == "all"].set_index("subset")
    pair, slope = pair_energies(2.0, 14, 14, 4.0 - 0.01, 4.0)
    # reference energy of the dimer: 1 eV; its forces: 0
    assert errors[final].loc["test", "rmse_epa"] == pytest.approx(1000 * abs(float(pair) - 1.0) / 2, rel=1e-9)
    assert errors[final].loc["test", "max_abs_f_comp"] == pytest.approx(abs(float(slope)), rel=1e-9)
    assert errors[inputs["path_to_potential"]].loc["test", "rmse_epa"] == pytest.approx(0.0, abs=1e-9)
    assert errors[final].loc["train", "rmse_epa"] == pytest.approx(errors[inputs["path_to_potential"]].loc["train", "rmse_epa"])
