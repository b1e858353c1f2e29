"""Whole configurations: what is accepted, and how every kind of bad input is reported."""

from pathlib import Path

import pytest
import yaml
from tests.conftest import ROOT, shared_path

from acefit.config.fit_section import EnergyBasedWeightingPolicy
from acefit.config.loading import load_config, validate_config
from acefit.errors import ConfigError

GOOD = """\
potential:
  elements: [Al, Ni]
  embeddings:
    ALL: {npot: FinnisSinclairShiftedScaled, fs_parameters: [1, 1, 1, 0.5], ndensity: 2}
  bonds:
    ALL: {radbase: SBessel, radparameters: [5.25], rcut: 6, dcut: 0.01}
  functions:
    ALL: {nradmax_by_orders: [5, 2], lmax_by_orders: [0, 2]}
data:
  filename: alni.xyz
fit:
  loss: {kappa: 0.3}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "input.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def message_of(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text))
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def with_fit(line: str) -> str:
    return f"{GOOD}  {line}\n"


def test_load_config__fills_defaults(tmp_path):
    config = load_config(write(tmp_path, GOOD))
    assert (config.seed, config.fit.optimizer, config.fit.maxiter, config.fit.fit_cycles) == (42, "BFGS", 100, 1)
    assert config.base_path == tmp_path
    assert config.notices == ()


# What is wrong, the line it is reported for (0: none) and words of the message
BAD = [
    pytest.param(
        changed("data:", "dta:"), 9, ["dta: unknown key; did you mean 'data'?", "data: is missing"], id="section misspelt"
    ),
    pytest.param(
        changed("fit:\n", "fit:\n  maxitr: 5\n"), 12, ["fit.maxitr: unknown key; did you mean 'maxiter'?"], id="key misspelt"
    ),
    pytest.param(changed("kappa: 0.3", "Kappa: 0.3"), 12, ["fit.loss.Kappa", "did you mean 'kappa'?"], id="case of a key"),
    pytest.param(
        changed("rcut: 6", "rcutt: 6"), 6, ["potential.bonds.ALL.rcutt", "did you mean 'rcut'?"], id="bond key misspelt"
    ),
    pytest.param(
        with_fit("evaluator: pyace"), 13, ["fit.evaluator: unknown key; it belongs to backend.evaluator"], id="wrong section"
    ),
    pytest.param(with_fit("zzz: 1"), 13, ["fit.zzz: unknown key; valid keys: loss, weighting"], id="key like no other"),
    pytest.param(
        changed("  functions:\n    ALL:", "  functions:\n    AL:"), 8, ["potential.functions.AL"], id="keyword misspelt"
    ),
    pytest.param(
        changed("functions:\n", "functions:\n    number_of_functions_per_elements: 5\n"),
        8,
        ["number_of_functions_per_elements: unknown key; did you mean 'number_of_functions_per_element'?"],
        id="limit misspelt",
    ),
    pytest.param(
        changed("kappa: 0.3", "kappa: 1.3"), 12, ["fit.loss.kappa: is 1.3; valid: 'auto', or number from 0 to 1"], id="kappa"
    ),
    pytest.param(changed("kappa: 0.3", "kappa: -1e-3"), 12, ["fit.loss.kappa: is '-1e-3'"], id="negative kappa as text"),
    pytest.param(changed("kappa: 0.3", "kappa: yes"), 12, ["fit.loss.kappa: is 'yes'"], id="word for a number"),
    pytest.param(changed("kappa: 0.3", "kappa: true"), 12, ["fit.loss.kappa: is True"], id="boolean for a number"),
    pytest.param(changed("kappa: 0.3", "L1_coeffs: .inf"), 12, ["fit.loss.L1_coeffs: is inf"], id="infinite number"),
    pytest.param(
        with_fit("maxiter: 10.5"), 13, ["fit.maxiter: is 10.5; valid: integer, 0 or more"], id="fraction for an integer"
    ),
    pytest.param(with_fit("ladder_step: 0"), 13, ["fit.ladder_step: is 0; valid: positive integer"], id="ladder step 0"),
    pytest.param(with_fit("ladder_step: 1.5"), 13, ["fit.ladder_step: is 1.5"], id="ladder step 1.5"),
    pytest.param(with_fit("ladder_step: [5, 2.5]"), 13, ["fit.ladder_step[1]: is 2.5"], id="ladder step in a list"),
    pytest.param(with_fit("ladder_step: []"), 13, ["fit.ladder_step: is []"], id="empty list of ladder steps"),
    pytest.param(with_fit("ladder_type: bodyorder"), 13, ["valid: one of 'body_order', 'power_order'"], id="choice"),
    pytest.param(with_fit("optimizer: Nelder-Mead"), 13, ["fit.optimizer: is 'Nelder-Mead'", "'L-BFGS-B'"], id="optimiser"),
    pytest.param(with_fit("options: {gtoll: 1e-5}"), 13, ["unknown option of BFGS; did you mean 'gtol'?"], id="option misspelt"),
    pytest.param(with_fit("options: {maxcor: 5}"), 13, ["unknown option of BFGS; valid options: c1, c2"], id="option of another"),
    pytest.param(
        with_fit("options: {batch_size: 2.5}\n  optimizer: Adam"),
        13,
        ["fit.options.batch_size: must be a whole number of structures, 1 or more; got 2.5"],
        id="batch size",
    ),
    pytest.param(with_fit("options: {gtol: -1}"), 13, ["fit.options.gtol: must be a number, 0 or more"], id="option value"),
    pytest.param(
        with_fit("options: {maxiter: 7}"), 13, ["belongs to fit.maxiter: write `maxiter: 7` there"], id="maxiter as option"
    ),
    pytest.param(with_fit("max_memory: 4 * 1024"), 13, ["fit.max_memory: is '4 * 1024'; valid: positive number"], id="memory"),
    pytest.param(with_fit("fit_cycles: 0"), 13, ["fit.fit_cycles: is 0; valid: positive integer"], id="no cycles"),
    pytest.param(
        with_fit("restarts: parallel\n  fit_cycles: 2"),
        13,
        ["fit.restarts: parallel cycles would all be the same"],
        id="same restarts",
    ),
    pytest.param(with_fit("repulsion: zbl"), 13, ["fit.repulsion: is 'zbl'; valid: 'auto'"], id="repulsion"),
    pytest.param(with_fit("callbacks: [watch]"), 13, ["fit.callbacks[0]: 'watch' is no importable name"], id="callback"),
    pytest.param(with_fit("callbacks: a.b()"), 13, ["fit.callbacks: 'a.b()' is no importable name"], id="single callback"),
    pytest.param(
        with_fit("trainable_parameters: BINRY"), 13, ["'BINRY' names no block", "did you mean 'BINARY'?"], id="trainable word"
    ),
    pytest.param(
        with_fit("trainable_parameters: [AlCu]"), 13, ["trainable_parameters[0]: 'AlCu' names no block"], id="trainable block"
    ),
    pytest.param(with_fit("trainable_parameters: {Al: fun}"), 13, ["trainable_parameters.Al: is 'fun'"], id="trainable kind"),
    pytest.param(
        with_fit("trainable_parameters: {Cu: func}"), 13, ["trainable_parameters.Cu: 'Cu' names no block"], id="trainable key"
    ),
    pytest.param(with_fit("weighting: {type: Energy}"), 13, ["fit.weighting: `type` must be one of EnergyBased"], id="policy"),
    pytest.param(with_fit("weighting: {DElow: 1}"), 13, ["fit.weighting: `type` must be one of EnergyBased"], id="no policy"),
    pytest.param(
        with_fit("weighting: {type: EnergyBasedWeightingPolicy, DElw: 1}"),
        13,
        ["DElw: unknown key; did you mean 'DElow'?"],
        id="policy key",
    ),
    pytest.param(
        with_fit("weighting: {type: EnergyBasedWeightingPolicy, n_lower: 5}"),
        13,
        ["fit.weighting.n_lower: needs n_upper too: give both or none"],
        id="n_lower without n_upper",
    ),
    pytest.param(
        with_fit("weighting: {type: EnergyBasedWeightingPolicy, n_upper: 5}"),
        13,
        ["n_upper: needs n_lower too"],
        id="n_upper alone",
    ),
    pytest.param(
        with_fit("weighting: {type: EnergyBasedWeightingPolicy, nfit: 9, n_lower: 5, n_upper: 4}"),
        13,
        ["fit.weighting.nfit: cannot be combined with n_lower and n_upper"],
        id="nfit with tiers",
    ),
    pytest.param(
        with_fit("weighting: {type: EnergyBasedWeightingPolicy, DElow: 20}"),
        13,
        ["must not exceed DEup = 10 eV/atom"],
        id="tiers crossed",
    ),
    pytest.param(with_fit("weighting: {type: ExternalWeightingPolicy}"), 13, ["give the weight file, once"], id="no weight file"),
    pytest.param(
        changed("filename: alni.xyz", "filename: alni.xyz\n  test_size: 0.1\n  test_filename: test.xyz"),
        11,
        ["data.test_size: cannot be combined with test_filename"],
        id="two test sets",
    ),
    pytest.param(
        changed("filename: alni.xyz", "filename: alni.xyz\n  test_size: 1.5"),
        11,
        ["a share below 1 or a whole number"],
        id="test_size",
    ),
    pytest.param(changed("filename: alni.xyz", "filename: []"), 10, ["data.filename: is []"], id="no data file"),
    pytest.param(
        changed("filename: alni.xyz", "filname: a"),
        10,
        ["did you mean 'filename'?", "data.filename: is missing"],
        id="no filename",
    ),
    pytest.param(
        changed("filename: alni.xyz", "filename: a\n  reference_energy: aut"), 11, ["did you mean 'auto'?"], id="reference word"
    ),
    pytest.param(
        changed("filename: alni.xyz", "filename: a\n  reference_energy: {Al: 1, Nj: 2}"),
        11,
        ["data.reference_energy.Nj: must be a chemical symbol or 'shift'"],
        id="reference element",
    ),
    pytest.param(
        changed("filename: alni.xyz", "filename: a\n  reference_energy: {Al: x}"),
        11,
        ["data.reference_energy.Al: is 'x'"],
        id="reference",
    ),
    pytest.param(
        changed("[Al, Ni]", "[Al, Nii]"),
        2,
        ["potential.elements[1]: 'Nii' is not a chemical symbol; did you mean 'Ni'?"],
        id="no element",
    ),
    pytest.param(changed("[Al, Ni]", "[Al, Al]"), 2, ["potential.elements[1]: 'Al' is listed twice"], id="element twice"),
    pytest.param(changed("[Al, Ni]", "Al"), 2, ["potential.elements: is 'Al'; valid: list"], id="elements no list"),
    pytest.param(
        changed("bonds:\n", "bonds:\n    AlCu: {rcut: 5}\n"), 6, ["Cu is not among the elements (Al, Ni)"], id="foreign element"
    ),
    pytest.param(
        changed("bonds:\n", "bonds:\n    TERNARY: {rcut: 5}\n"),
        6,
        ["must be one of ALL, UNARY, BINARY, or an element or a pair"],
        id="keyword",
    ),
    pytest.param(
        changed("embeddings:\n", "embeddings:\n    AlNi: {ndensity: 1}\n"), 4, ["must name an element"], id="pair as element"
    ),
    pytest.param(
        changed("functions:\n", "functions:\n    AlNiAl: {}\n"),
        8,
        ["must name a block such as AlNi, each symbol once"],
        id="repeated",
    ),
    pytest.param(changed("[1, 1, 1, 0.5]", "[1, 1]"), 4, ["2 numbers for ndensity = 2: must be 4"], id="fs_parameters"),
    pytest.param(
        changed("npot: FinnisSinclairShiftedScaled, ", ""), 3, ["npot missing for Al", "npot missing for Ni"], id="npot"
    ),
    pytest.param(changed(", rcut: 6", ""), 5, ["rcut missing for Al-Al, Al-Ni, Ni-Ni"], id="no rcut"),
    pytest.param(
        changed("    ALL: {radbase", "    UNARY: {radbase"),
        5,
        ["rcut missing for Al-Ni", "radparameters missing for Al-Ni"],
        id="no bond",
    ),
    pytest.param(changed("rcut: 6", "rcut: 0"), 6, ["potential.bonds.ALL.rcut: is 0; valid: positive number"], id="rcut 0"),
    pytest.param(
        changed("dcut: 0.01", "r_in: 1.0, delta_in: 1.5"),
        6,
        ["delta_in: 1.5 Angstrom must not exceed r_in = 1 Angstrom"],
        id="delta_in",
    ),
    pytest.param(changed("dcut: 0.01", "r_in: 6.5"), 6, ["r_in: 6.5 Angstrom must be below rcut = 6 Angstrom"], id="r_in"),
    pytest.param(changed("dcut: 0.01", "dcut: 7"), 6, ["dcut: 7 Angstrom must not exceed rcut = 6 Angstrom"], id="dcut"),
    pytest.param(
        changed("dcut: 0.01", "inner_cutoff_type: zbl"), 6, ["delta_in: must be positive with inner_cutoff_type: zbl"], id="zbl"
    ),
    pytest.param(
        changed("bonds:\n", "bonds:\n    AlNi: {inner_cutoff_type: density}\n"),
        6,
        ["must be the same for all bonds; found density, distance"],
        id="modes",
    ),
    pytest.param(
        changed("SBessel, radparameters: [5.25]", "ChebPow, radparameters: [0]"),
        6,
        ["the exponent of ChebPow must be positive"],
        id="ChebPow",
    ),
    pytest.param(
        changed("SBessel, radparameters: [5.25]", "ChebExpCos, radparameters: [0]"),
        6,
        ["ChebExpCos must not be 0"],
        id="ChebExpCos",
    ),
    pytest.param(
        changed("radbase: SBessel", "radbase: SBesel"), 6, ["radbase: is 'SBesel'; valid: one of 'ChebExpCos'"], id="radbase"
    ),
    pytest.param(
        changed("dcut: 0.01", "core-repulsion: [1]"), 6, ["core-repulsion: is [1]; valid: list (2 entries: number)"], id="core"
    ),
    pytest.param(changed(", lmax_by_orders: [0, 2]", ""), 8, ["functions.ALL.lmax_by_orders: is missing"], id="no lmax"),
    pytest.param(
        changed("[5, 2], lmax_by_orders: [0, 2]", "[5, 2, 1, 1, 1, 1, 1], lmax_by_orders: [0, 2, 1, 1, 0, 0, 0]"),
        8,
        ["has more than 6 orders"],
        id="orders",
    ),
    pytest.param(
        changed("    ALL: {nradmax_by_orders: [5, 2], lmax_by_orders: [0, 2]}", ""),
        7,
        ["potential.functions: no functions"],
        id="no functions",
    ),
    pytest.param(GOOD + "name: my fit\n", 13, ["name: is 'my fit'; valid: name of letters, digits"], id="name"),
    pytest.param(GOOD + "seed: -1\n", 13, ["seed: is -1; valid: integer from 0 to 4294967295"], id="seed"),
    pytest.param(with_fit("maxiter: 5\n  maxiter: 6"), 14, ["fit.maxiter: is given again in line 14"], id="repeated key"),
]


@pytest.mark.parametrize(("text", "line", "words"), BAD)
def test_load_config__reports_bad_input(tmp_path, text, line, words):
    message = message_of(tmp_path, text)
    for word in words:
        assert word in message
    assert f"{tmp_path / 'input.yaml'}:{line}: " in message


def test_load_config__lists_all_problems_in_the_order_of_the_file(tmp_path):
    text = changed("[Al, Ni]", "[Al, Nii]").replace("kappa: 0.3", "kappa: 3, kapa: 1").replace("rcut: 6", "rcut: 6, r_in: 7")
    message = message_of(tmp_path, text + "  maxitr: 1\nbackend: {tables: perhaps}\n")
    lines = message.splitlines()
    assert lines[0] == "6 problems in the configuration:"
    assert [int(line.split("input.yaml:")[1].split(":")[0]) for line in lines[1:]] == [2, 6, 12, 12, 13, 14]


def test_load_config__checks_relations_beside_missing_sections(tmp_path):
    message = message_of(tmp_path, "fit: {options: {gtoll: 1}}\n")
    assert "potential: is missing: What is fitted" in message
    assert "data: is missing" in message
    assert "fit.options.gtoll" in message


def test_load_config__blames_a_bad_value_only_once(tmp_path):
    text = with_fit("weighting: {type: EnergyBasedWeightingPolicy, n_lower: 3, n_upper: many}")
    assert message_of(tmp_path, text).startswith("1 problem in the configuration")


def test_load_config__accepts_numbers_as_text(tmp_path):
    config = load_config(write(tmp_path, with_fit("maxiter: 1e3\n  ladder_step: '0.5'").replace("0.3", "3e-1, L1_coeffs: 1e-8")))
    assert (config.fit.maxiter, config.fit.ladder_step) == (1000, 0.5)
    assert (config.fit.loss.kappa, config.fit.loss.L1_coeffs) == (0.3, 1e-8)


def test_load_config__takes_a_key_without_value_for_absent(tmp_path):
    config = load_config(write(tmp_path, with_fit("ladder_step:\n  options:\nmetadata:\nbackend:")))
    assert config.fit.ladder_step is None
    assert (config.metadata, config.backend.display_step) == ({}, 20)


def test_load_config__turns_the_word_none_into_absence(tmp_path):
    config = load_config(write(tmp_path, with_fit("weighting: {type: EnergyBasedWeightingPolicy, wlow: none, DFup: None}")))
    assert isinstance(config.fit.weighting, EnergyBasedWeightingPolicy)
    assert (config.fit.weighting.wlow, config.fit.weighting.DFup) == (None, None)


def test_load_config__writes_metadata_as_text(tmp_path):
    config = load_config(write(tmp_path, GOOD + "metadata: {version: 3, when: 2024-01-05, note: , exact: true}\n"))
    assert config.metadata == {"version": "3", "when": "2024-01-05", "note": "", "exact": "True"}


@pytest.mark.parametrize("name", ["bfgs", "BFGS", "Bfgs"])
def test_load_config__ignores_the_case_of_optimisers(tmp_path, name):
    assert load_config(write(tmp_path, with_fit(f"optimizer: {name}"))).fit.optimizer == "BFGS"


def test_validate_config__finds_lines_in_the_last_source_that_has_the_key(tmp_path):
    first, second = tmp_path / "default.yaml", tmp_path / "mine.yaml"
    first.write_text(GOOD, encoding="utf-8")
    second.write_text("fit:\n  loss: {kappa: 7}\n", encoding="utf-8")
    merged = yaml.safe_load(GOOD) | {"fit": {"loss": {"kappa": 7}}, "seed": "x"}
    merged["potential"]["elements"] = ["Al", "Xx"]
    with pytest.raises(ConfigError) as caught:
        validate_config(merged, [first, second])
    assert f"{second}:2: fit.loss.kappa" in str(caught.value)
    assert f"{first}:2: potential.elements[1]" in str(caught.value)
    assert f"{second}: seed: is 'x'" in str(caught.value)


def test_validate_config__works_without_source():
    config = validate_config(yaml.safe_load(GOOD))
    assert (config.base_path, config.data.filename) == (Path(), "alni.xyz")
    with pytest.raises(ConfigError, match=r"^1 problem in the configuration:\n  seed: is -3; valid: integer"):
        validate_config({**yaml.safe_load(GOOD), "seed": -3})


def test_validate_config__restores_the_pair_that_yaml_reads_as_a_boolean(tmp_path):
    path = ROOT / "tests/config/input_binary.yaml"
    from_yaml_1_1 = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert False in from_yaml_1_1["potential"]["bonds"]
    assert validate_config(from_yaml_1_1, path) == load_config(path)
    assert set(load_config(path).potential.functions.shapes) == {"UNARY", "NO", "ON"}


def test_validate_config__takes_plain_strings_for_file_names():
    config = validate_config({"potential": "fitted.yaml", "data": "alni.pckl.gzip"})
    assert (config.potential.filename, config.data.filename) == ("fitted.yaml", "alni.pckl.gzip")


@pytest.mark.parametrize("value", [3, ["a"], True])
def test_validate_config__refuses_a_potential_that_is_neither_name_nor_map(value):
    with pytest.raises(ConfigError, match=r"potential: is .*; valid: map of keys, or text"):
        validate_config({"potential": value, "data": "alni.xyz"})


def test_validate_config__refuses_keys_of_another_form_of_the_potential():
    with pytest.raises(ConfigError, match=r"potential\.rcut: unknown key"):
        validate_config({"potential": {"filename": "a.yaml", "rcut": 5}, "data": "alni.xyz"})


def test_single_element_form__reports_its_own_keys():
    old = yaml.safe_load((ROOT / "tests/config/input_single_element.yaml").read_text(encoding="utf-8"))
    old["potential"] |= {"fs_parameters": [1, 1], "r_in": 9, "element": "Cx"}
    with pytest.raises(ConfigError) as caught:
        validate_config(old)
    assert "potential.element: 'Cx' is not a chemical symbol" in str(caught.value)
    old["potential"]["element"] = "Cu"
    with pytest.raises(ConfigError) as caught:
        validate_config(old)
    assert "potential.fs_parameters: 2 numbers for ndensity = 2" in str(caught.value)
    assert "potential.r_in: 9 Angstrom must be below rcut = 7 Angstrom" in str(caught.value)


def test_single_element_form__takes_lists_only_for_the_old_names():
    old = yaml.safe_load((ROOT / "tests/config/input_single_element.yaml").read_text(encoding="utf-8"))
    old["potential"]["nradmax"] = 5
    with pytest.raises(ConfigError, match=r"potential\.nradmax: is 5; valid: list"):
        validate_config(old)


OURS = sorted((ROOT / "tests/config").glob("*.yaml"))


@pytest.mark.parametrize("path", OURS, ids=[path.stem for path in OURS])
def test_examples__are_valid(path):
    load_config(path)


def test_default_configuration__is_valid_and_without_notices():
    config = load_config(ROOT / "config/config.yaml")
    assert (config.name, config.notices) == ("silicon", ())


@pytest.mark.parametrize("case", ["cu-large", "ethanol", "si"])
def test_pacemaker_inputs__are_accepted(case):
    config = load_config(shared_path("peers", "cases", case, "input.yaml"))
    assert all("accepted without effect" in notice for notice in config.notices)


def test_pacemaker_example__is_accepted_unchanged():
    config = load_config(shared_path("data", "pace_Cu-I", "input.yaml"))
    assert (config.fit.ladder_step, config.fit.loss.L1_coeffs, config.backend.display_step) == (15, 1e-8, 50)
