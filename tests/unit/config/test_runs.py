"""Tables of runs and sweeps: what they make of a file, and how every kind of bad entry is reported."""

from pathlib import Path

import pytest
import yaml

from acefit.config.runs import load_runs
from acefit.errors import ConfigError

BASE = """\
name: demo
potential:
  elements: [Cu]
  embeddings: {ALL: {npot: FinnisSinclairShiftedScaled, fs_parameters: [1, 1], ndensity: 1}}
  bonds: {ALL: {radbase: SBessel, radparameters: [5.25], rcut: 6}}
  functions: {ALL: {nradmax_by_orders: [2], lmax_by_orders: [0]}}
data: {filename: cu.xyz}
fit:
  loss: {kappa: 0.3}
"""
FIRST = BASE.count("\n") + 1


def load(folder, text, base=BASE):
    path = folder / "input.yaml"
    path.write_text(base + text, encoding="utf-8")
    return load_runs(yaml.safe_load(path.read_text()), path)


def message_of(folder, text, base=BASE):
    with pytest.raises(ConfigError) as caught:
        load(folder, text, base)
    return str(caught.value)


def test_load_runs__of_a_plain_file_is_one_run_with_its_name(tmp_path):
    runs = load(tmp_path, "")
    assert runs.is_single
    assert list(runs.configs) == ["demo"]
    assert runs.configs["demo"].base_path == tmp_path


def test_load_runs__changes_the_named_keys_and_no_others(tmp_path):
    runs = load(tmp_path, "runs:\n  plain:\n  stiff: {fit.loss.kappa: 1e-2, fit.maxiter: 7, seed: 3}\n")
    assert not runs.is_single
    assert list(runs.configs) == ["demo/plain", "demo/stiff"]
    plain, stiff = runs.configs.values()
    assert (plain.fit.loss.kappa, plain.fit.maxiter, plain.seed) == (0.3, 100, 42)
    assert (stiff.fit.loss.kappa, stiff.fit.maxiter, stiff.seed) == (0.01, 7, 3)
    assert stiff.basis == plain.basis
    assert stiff.base_path == tmp_path
    assert runs.changes["plain"] == {}
    assert runs.labels == {"plain": "plain", "stiff": "stiff"}


def test_load_runs__a_changed_map_replaces_the_one_of_the_file(tmp_path):
    base = BASE + "  weighting: {type: EnergyBasedWeightingPolicy, DElow: 2}\n"
    runs = load(tmp_path, "runs: {even: {fit.weighting: {type: UniformWeightingPolicy}}}\n", base)
    assert runs.configs["demo/even"].fit.weighting.type == "UniformWeightingPolicy"


def test_load_runs__sweep_gives_all_combinations(tmp_path):
    runs = load(tmp_path, "sweep:\n  fit.loss.kappa: [0.1, 0.2]\n  potential.functions.ALL.nradmax_by_orders: [[2], [4]]\n")
    assert list(runs.changes) == [f"kappa-{k}_nradmax_by_orders-{n}" for k in (0.1, 0.2) for n in (2, 4)]
    assert list(runs.labels.values()) == ["0.1, [2]", "0.1, [4]", "0.2, [2]", "0.2, [4]"]
    last = runs.configs["demo/kappa-0.2_nradmax_by_orders-4"]
    assert last.fit.loss.kappa == 0.2
    assert last.basis.functions.shapes["ALL"].nradmax_by_orders == [4]


def test_load_runs__keys_of_a_sweep_with_the_same_last_word_are_written_out(tmp_path):
    runs = load(tmp_path, "sweep: {potential.bonds.ALL.rcut: [5], potential.bonds.Cu.rcut: [6]}\n")
    assert list(runs.changes) == ["potential.bonds.ALL.rcut-5_potential.bonds.Cu.rcut-6"]


def test_load_runs__reads_a_table(tmp_path):
    table = "run,fit.loss.kappa,potential.functions.ALL.nradmax_by_orders\nsmall,1e-2,\n\nlarge,,[5]\n"
    (tmp_path / "sweep.csv").write_text(table, encoding="utf-8")
    runs = load(tmp_path, "runs: sweep.csv\n")
    assert runs.changes == {"small": {"fit.loss.kappa": "1e-2"}, "large": {"potential.functions.ALL.nradmax_by_orders": [5]}}
    assert runs.configs["demo/small"].fit.loss.kappa == 0.01
    assert runs.configs["demo/large"].base_path == tmp_path


def test_load_runs__of_a_dictionary_needs_no_file():
    data = {**yaml.safe_load(BASE), "runs": {"a": {"seed": 1}}}
    assert list(load_runs(data).configs) == ["demo/a"]


BAD = [
    ("runs:\n  a: {fit.loss.kapa: 0.1}\n", 1, "runs.a.fit.loss.kapa: unknown key; did you mean 'kappa'?"),
    ("runs:\n  a:\n    seed: 1\n    fit.los.kappa: 0.1\n", 3, "runs.a.fit.los.kappa: fit.los: unknown key; did you mean 'loss'?"),
    ("runs:\n  a: {fit.loss.kappa: 1.5}\n", 1, "runs.a.fit.loss.kappa: is 1.5; valid: 'auto', or number from 0 to 1"),
    (
        "runs:\n  a: {fit: {maxiter: 3}}\n",
        1,
        "fit would replace the whole section; name the keys that differ, such as fit.",
    ),
    ("runs:\n  a: {name: b}\n", 1, "name belongs to the file and cannot differ between its runs"),
    ("runs:\n  a: {seed.value: 3}\n", 1, "seed.value cannot be set: seed is 42 in this file, not a map of keys; write it as one"),
    ("runs:\n  a b: {seed: 3}\n", 1, "'a b' cannot be the name of a run; valid: letters, digits"),
    ("runs:\n  compare: {seed: 3}\n", 1, "'compare' is the folder of the comparison; choose another name"),
    ("runs:\n  a: {seed: 3}\n  a: {seed: 4}\n", 2, "is given again in line"),
    ("runs: {a: {seed: 1}}\nsweep: {seed: [1, 2]}\n", 1, "sweep: cannot be combined with runs: keep one of them"),
    ("runs: {}\n", 0, "runs: is {}; valid: map"),
    ("sweep:\n  fit.loss.kappa:\n    - 0.1\n    - 1.5\n", 3, "sweep.fit.loss.kappa[1]: is 1.5; valid:"),
    ("sweep:\n  fit.loss.kapa: [0.1, 0.2]\n", 1, "sweep.fit.loss.kapa[0]: unknown key; did you mean 'kappa'?"),
    ("sweep:\n  fit.loss.kappa: 0.1\n", 1, "sweep.fit.loss.kappa: is 0.1; valid: list"),
    ("sweep:\n  fit.loss.kappa: []\n", 1, "sweep.fit.loss.kappa: is []; valid: list"),
    ("sweep:\n  metadata.a: ['x/y', 'x y']\n", 0, "gives several runs the name 'a-x-y'; write them as runs"),
]


@pytest.mark.parametrize(("text", "line", "words"), BAD, ids=[words[:40] for _, _, words in BAD])
def test_load_runs__reports_bad_entries_where_they_stand(tmp_path, text, line, words):
    base = BASE + "seed: 42\n" if "seed.value" in text else BASE
    message = message_of(tmp_path, text, base)
    assert words in message
    assert f"input.yaml:{base.count(chr(10)) + 1 + line}: " in message


def test_load_runs__says_once_what_is_wrong_with_all_combinations(tmp_path):
    message = message_of(tmp_path, "sweep: {fit.loss.kappa: [2], seed: [1, 2, 3]}\n")
    assert message.startswith("1 problem in")


def test_load_runs__a_relation_is_reported_at_the_change_that_breaks_it(tmp_path):
    message = message_of(tmp_path, "runs:\n  ok: {fit.fit_cycles: 2}\n  a: {fit.fit_cycles: 2, fit.restarts: parallel}\n")
    assert f"input.yaml:{FIRST + 2}: runs.a.fit.restarts: parallel cycles would all be the same" in message


def test_load_runs__the_file_itself_must_be_valid(tmp_path):
    assert "fit.loss.kapa" in message_of(tmp_path, "runs: {a: {fit.loss.kappa: 0.1}}\n", BASE.replace("kappa", "kapa"))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("run,fit.loss.kappa\n", "sweep.csv: has no runs; needs a heading"),
        ("run,seed,seed\na,1,2\n", "sweep.csv:1: every column behind the first needs the name of a key, each once"),
        ("run,seed,\na,1,2\n", "sweep.csv:1: every column behind the first"),
        ("run,seed\na,1\na,2\n", "sweep.csv:3: the run 'a' is there already"),
        ("run,seed\na,1,2\n", "sweep.csv:2: 2 values for 1 keys"),
        ("run,fit.options\na,{gtol: 1\n", "sweep.csv:2: '{gtol: 1' is not valid YAML"),
        ("run,fit.loss.kapa\na,1\n", "sweep.csv:2: runs.a.fit.loss.kapa: unknown key; did you mean 'kappa'?"),
        ("run,seed\nfirst run,1\n", "sweep.csv:2: runs.first run: 'first run' cannot be the name of a run"),
    ],
)
def test_load_runs__reports_bad_tables(tmp_path, table, words):
    (tmp_path / "sweep.csv").write_text(table, encoding="utf-8")
    assert words in message_of(tmp_path, "runs: sweep.csv\n")


def test_load_runs__explains_missing_and_unreadable_tables(tmp_path):
    assert "runs: no file 'absent.csv'; looked for" in message_of(tmp_path, "runs: absent.csv\n")
    Path(tmp_path / "sweep.csv").write_bytes(b"run,seed\n\xff,1\n")
    assert "sweep.csv: cannot be read as a table of runs" in message_of(tmp_path, "runs: sweep.csv\n")
