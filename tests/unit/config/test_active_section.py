import pytest

from acefit.config import stages
from acefit.config.loading import validate_config
from acefit.config.runs import load_runs
from acefit.errors import ConfigError

ACTIVE = {
    "rounds": 2,
    "explore": {"structures": "start.xyz", "temperatures": [300, 900], "pressures": [0, 5], "repetitions": 2},
    "label": {"calculator": "ase.calculators.emt.EMT", "parameters": {"a": 1}},
}
COMMON = {
    "name": "cu",
    "potential": {
        "elements": ["Cu"],
        "embeddings": {"ALL": {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": [1, 1, 1, 0.5], "ndensity": 2}},
        "bonds": {"ALL": {"radbase": "SBessel", "radparameters": [5.25], "rcut": 4.0, "dcut": 0.01}},
        "functions": {"ALL": {"nradmax_by_orders": [3], "lmax_by_orders": [0]}},
    },
    "data": {"filename": "a.xyz", "reference_energy": 0},
}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.xyz", "start.xyz"):
        (tmp_path / name).touch()
    return load_runs({**COMMON, "active": ACTIVE})


def test_rounds__are_runs_with_what_earlier_ones_label(runs):
    assert list(runs.configs) == ["cu/round-00", "cu/round-01", "cu/round-02"]
    assert runs.changes == {f"round-0{k}": {"round": k} for k in range(3)}
    assert not runs.is_single
    last = runs.configs["cu/round-02"]
    assert stages.data_files(last) == [
        {"path": "a.xyz", "subset": "data"},
        {"path": "results/cu/round-00/label/structures.parquet", "subset": "train", "made_by": "label"},
        {"path": "results/cu/round-01/label/structures.parquet", "subset": "train", "made_by": "label"},
    ]
    assert stages.start_files(last) == ["results/cu/round-01/potential.yaml"]
    assert stages.basis_params(last)["potential"]["initial_potential"] == ["results/cu/round-01/potential.yaml"]
    assert stages.start_files(runs.configs["cu/round-00"]) == []
    assert stages.neighbor_cutoff(last) == 4.0
    assert len({stages.dataset_digest(config) for config in runs.configs.values()}) == 3


def test_walks__are_all_temperatures_and_pressures_with_seeds_of_their_own(runs):
    first, second = (stages.walks(runs.configs[f"cu/round-0{k}"]) for k in range(2))
    assert [(walk["temperature"], walk["pressure"]) for walk in first] == [
        *[(300, 0), (300, 0), (300, 5), (300, 5)],
        *[(900, 0), (900, 0), (900, 5), (900, 5)],
    ]
    seeds = [walk["seed"] for walk in (*first, *second)]
    assert len(set(seeds)) == 16
    settings = stages.explore_params(runs.configs["cu/round-01"], 3)
    assert settings["seed"] == second[3]["seed"]
    assert (settings["steps"], settings["stop_above"]) == (2000, 10.0)


def test_stages__take_what_they_need(runs):
    config = runs.configs["cu/round-00"]
    assert stages.exploration_files(config) == ["start.xyz"]
    assert stages.active_set_params(config) == {"full": False, "tables": False}
    assert stages.choose_params(config) == {"most": 20, "reject_above": 1000.0, "tables": False}
    label = stages.calculate_params(config)
    assert (label["calculator"], label["parameters"], label["on_failure"]) == ("ase.calculators.emt.EMT", {"a": 1}, "stop")


@pytest.mark.parametrize(("jobs", "number"), [(1, 1), (3, 3), (20, 20), (50, 20)])
def test_label_jobs__are_no_more_than_structures_and_change_no_settings(tmp_path, monkeypatch, jobs, number):
    monkeypatch.chdir(tmp_path)
    config = validate_config({**COMMON, "active": {**ACTIVE, "label": {**ACTIVE["label"], "jobs": jobs}}})
    assert stages.label_jobs(config) == number
    assert stages.calculate_params(config) == stages.calculate_params(validate_config({**COMMON, "active": ACTIVE}))


def test_calculate_params__move_with_the_users_own_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside/config.yaml").write_text("name: cu\n")
    own = {**ACTIVE, "label": {"calculator": "own.make"}}
    config = validate_config({**COMMON, "active": own}, tmp_path / "beside/config.yaml")
    assert stages.calculate_params(config)["source"] is None
    (tmp_path / "beside/own.py").write_text("def make(): return 1")
    first = stages.calculate_params(config)
    assert first == stages.calculate_params(config)
    (tmp_path / "beside/own.py").write_text("def make(): return 2")
    assert first != stages.calculate_params(config)


def test_calculate_params__total_energies_need_references(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.xyz").touch()
    config = validate_config({**COMMON, "data": {"filename": "a.xyz"}, "active": ACTIVE})
    with pytest.raises(ConfigError, match=r"gives total energies; give data\.reference_energy"):
        stages.calculate_params(config)


def test_stages__without_the_section_there_are_no_walks():
    with pytest.raises(ConfigError, match="has no section active"):
        stages.walks(validate_config(COMMON))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rounds": 0}, r"active\.rounds"),
        (
            {"explore": {**ACTIVE["explore"], "collect_above": 20}},
            r"active\.explore\.collect_above: 20 must not exceed stop_above = 10",
        ),
        ({"explore": {"structures": "a.xyz"}}, r"active\.explore\.temperatures"),
        ({"label": {"calculator": "a.b", "jobs": 0}}, r"active\.label\.jobs"),
        ({"label": {"calculator": "EMT"}}, r"active\.label\.calculator"),
        ({"label": {"calculator": "a.b", "on_failure": "cry"}}, r"active\.label\.on_failure"),
        ({"roundz": 3}, "did you mean 'rounds'"),
    ],
)
def test_active__wrong_values_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        validate_config({**COMMON, "active": {**ACTIVE, **changes}})


def test_active__stands_alone():
    with pytest.raises(ConfigError, match="active: cannot be combined with sweep"):
        load_runs({**COMMON, "active": ACTIVE, "sweep": {"fit.maxiter": [1, 2]}})
