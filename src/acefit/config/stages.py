"""What each stage of the pipeline takes from the configuration: plain values that can be written as JSON.

Every subset holds exactly what its stage uses, so that a changed key reruns the stages it concerns and no others.
"""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import yaml

from acefit.config.active_section import ActiveSection
from acefit.config.elements import KEYWORDS, keyword_arity, split_key
from acefit.config.fields import as_list
from acefit.config.fit_section import OPTIMIZER_OPTIONS, EnergyBasedWeightingPolicy, ExternalWeightingPolicy
from acefit.config.merging import given_keys, merged_bonds, with_defaults
from acefit.config.model import Config
from acefit.config.paths import from_here, resolve_file
from acefit.config.potential_section import PotentialDefinition, PotentialFile
from acefit.config.problems import place_name
from acefit.config.source import KeyPath
from acefit.errors import ConfigError
from acefit.sources import user_digest
from acefit.untrusted import check_yaml, read_text

Plain = dict[str, Any]

UNTELLING_NAMES = ("config", "input")
PERTURBATIONS = ("noise_relative_sigma", "noise_absolute_sigma", "randomize_func_coeffs")
# In B-basis (.yaml) and C-tilde (.yace) files
_RCUT = re.compile(r"\brcut(?:ij)?:\s*([-+.\deE]+)")
_LISTED = re.compile(r"^elements:\s*\[([^\]]*)\]", re.MULTILINE)
_SPECIES = re.compile(r"\bspeciesblock:\s*['\"]?([A-Z][a-z]?)\b")
_METADATA = re.compile(r"^metadata:.*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def run_name(config: Config, config_path: str | Path | None = None) -> str:
    """Name of the run: `name`, else the name of the configuration file, or of its folder if that says nothing."""
    if config.name:
        return config.name
    path = Path(os.path.abspath(config_path)) if config_path else Path("config.yaml").absolute()
    word = path.parent.name if path.stem in UNTELLING_NAMES else path.stem
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", word).strip("-.") or "fit"


def potential_files(config: Config) -> list[str]:
    """Resolve the potential files the basis is built from: the fixed shape first, then the initial potentials.

    Raises
    ------
    ConfigError
        If one is missing.
    """
    basis = config.basis
    names: list[tuple[KeyPath, str]] = [(("potential", "filename"), basis.filename)] if isinstance(basis, PotentialFile) else []
    names += _entries(("potential", "initial_potential"), basis.initial_potential)
    return [resolve_file(name, what=_place(config, path), base_path=config.base_path) for path, name in names]


def start_files(config: Config) -> list[str]:
    """Files the basis is built from: those of the configuration; in later rounds the potential before instead of initial ones."""
    files = potential_files(config)
    return files if config.start is None else [*files[: isinstance(config.basis, PotentialFile)], config.start]


def _entries(path: KeyPath, names: str | list[str] | None) -> list[tuple[KeyPath, str]]:
    """Names of a key that takes one or a list of them, each with its place."""
    return [((*path, index) if isinstance(names, list) else path, name) for index, name in enumerate(as_list(names))]


def _place(config: Config, path: KeyPath) -> str:
    return place_name(path, list(config.sources))


def neighbor_cutoff(config: Config) -> float:
    """Largest outer cutoff of all bonds in Angstrom, those of the potential files included.

    Raises
    ------
    ConfigError
        If a potential file cannot be read or defines no bond.
    """
    cutoffs = []
    if isinstance(config.basis, PotentialDefinition):
        cutoffs = [float(merged["rcut"].value) for merged in merged_bonds(config.basis).values() if "rcut" in merged]
    for path in potential_files(config):
        try:
            found = [float(text) for text in _RCUT.findall(_text(path))]
        except ValueError as error:
            raise ConfigError(f"{path}: a cutoff (rcutij or rcut) is not a number: {error}") from error
        if not found:
            raise ConfigError(f"{path}: no bond (rcutij or rcut) in this file; is it a potential?")
        cutoffs += found
    return max(cutoffs)


def _text(path: str) -> str:
    """Text of a potential file."""
    try:
        return read_text(Path(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a potential file: {error}") from error


def potential_elements(config: Config) -> list[str]:
    """Elements of the potential, those of its files included, so that structures with others are noticed when they are read."""
    elements = set(config.basis.elements) if isinstance(config.basis, PotentialDefinition) else set()
    for path in potential_files(config):
        text = _text(path)
        elements.update(_SPECIES.findall(text))
        elements.update(symbol.strip(" '\"") for listed in _LISTED.findall(text) for symbol in listed.split(","))
    return sorted(elements)


def data_files(config: Config) -> list[dict[str, str]]:
    """Datasets with the subset they belong to: `data` to be split, or `train` and `test` where both are given.

    Those that earlier rounds have made say so.

    Raises
    ------
    ConfigError
        If one is missing.
    """
    main = "data" if config.data.test_filename is None else "train"
    groups = (("filename", main, config.data.filename), ("test_filename", "test", config.data.test_filename))
    return [
        {"path": _data_path(config, name, path), "subset": subset}
        for key, subset, names in groups
        for path, name in _entries(("data", key), names)
    ] + [{"path": path, "subset": "train", "made_by": "label"} for path in config.labelled]


def _data_path(config: Config, name: str, path: KeyPath) -> str:
    what = _place(config, path)
    return resolve_file(name, what=what, base_path=config.base_path, datapath=config.data.datapath, environment=os.environ)


def reference_files(config: Config) -> list[str]:
    """Resolve the table of reference energies, if one is given.

    Raises
    ------
    ConfigError
        If it is missing.
    """
    given = config.data.reference_energy
    return [_data_path(config, given, ("data", "reference_energy"))] if isinstance(given, str) and given.endswith(".csv") else []


def reference_energy(config: Config) -> float | str | dict[str, float] | None:
    """Reference energies as given, or those in the metadata of the potential a fit starts from.

    Raises
    ------
    ConfigError
        If several initial potentials disagree, or an entry cannot be read.
    """
    given = config.data.reference_energy
    if given is not None:
        return reference_files(config)[0] if reference_files(config) else given
    found = {path: energies for path in potential_files(config) if (energies := _stored_references(path)) is not None}
    if any(energies != next(iter(found.values())) for energies in found.values()):
        raise ConfigError(f"data.reference_energy: {', '.join(found)} were fitted with different ones; say which to use")
    return next(iter(found.values()), None)


def _stored_references(path: str) -> dict[str, float] | None:
    """Read `reference_energy` from the metadata of a potential without reading its functions."""
    block = _METADATA.search(_text(path))
    try:
        check_yaml(block.group() if block else "")
        metadata = (yaml.safe_load(block.group()) or {}).get("metadata") if block else None
        text = (metadata or {}).get("reference_energy")
        energies = json.loads(text) if isinstance(text, str) else text
        return None if energies is None else {str(key): float(value) for key, value in energies.items()}
    except Exception as error:  # whatever PyYAML or json make of a value that is something else
        raise ConfigError(f"{path}: reference_energy in its metadata cannot be read: {error}") from error


def dataset_params(config: Config) -> Plain:
    """Datasets, how they are read, and reference energies."""
    data = config.data
    reading = ("energy_key", "forces_key", "stress_key", "group_key", "on_bad_structure", "minimum_distance")
    return {
        "files": data_files(config),
        "reading": {**{key: getattr(data, key) for key in reading}, "elements": potential_elements(config)},
        "reference_energy": reference_energy(config),
    }


def dataset_digest(config: Config) -> str:
    """Short name of the data settings; configurations with the same ones share dataset and neighbour lists."""
    return _digest(dataset_params(config))


def split_digest(config: Config) -> str:
    """Short name of the settings of the split; configurations with the same data and split share it."""
    return _digest(split_params(config))


def weights_digest(config: Config) -> str:
    """Short name of the settings of split and weights; configurations with the same data, split and weighting share them."""
    return _digest([split_params(config), weights_params(config)])


def _digest(settings: Any) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:10]


def neighborlists_params(config: Config) -> Plain:
    """Cutoff in Angstrom and number of parts."""
    return {"cutoff": neighbor_cutoff(config), "n_shards": config.data.shards}


def split_params(config: Config) -> Plain:
    """How structures are set aside for testing; nothing but empty values if none are."""
    size = config.data.test_size
    draws = size is not None
    return {
        "test_size": size,
        "stratify": config.data.stratify and draws,
        "seed": config.seed if draws else None,
        "has_isolated_references": draws and config.data.reference_energy == "isolated",
    }


def weights_params(config: Config) -> Plain:
    """Policy of the weights; `weighting` is None for uniform weights."""
    policy, settings = config.fit.weighting, None
    if isinstance(policy, EnergyBasedWeightingPolicy):
        settings = policy.model_dump(exclude={"cutoff"})
        settings["seed"] = config.seed if policy.seed is None else policy.seed
    elif isinstance(policy, ExternalWeightingPolicy):
        settings = {
            "type": policy.type,
            "filename": _data_path(config, policy.file, ("fit", "weighting", "filename")),
            "joint": policy.joint,
        }
    return {"weighting": settings, "ignore_weights": config.data.ignore_weights, "aug_factor": config.data.aug_factor}


def basis_params(config: Config) -> Plain:
    """Potential section with all defaults in place and files resolved, and the plan of the ladder.

    `seed` is None unless initial coefficients are drawn.
    """
    section = _potential_section(config)
    fit = {key: getattr(config.fit, key) for key in ("ladder_step", "ladder_type", "ladder_mode")}
    draws = any(shape.get("coefs_init") == "random" for shape in section.get("functions", {}).values() if isinstance(shape, dict))
    params: Plain = {"potential": section, "fit": fit, "seed": config.seed if draws else None}
    # Later rounds of active learning start from a finished potential, whose core repulsion came after its fit
    return {**params, "own_core": True} if config.labelled else params


def _potential_section(config: Config) -> Plain:
    basis, files = config.basis, start_files(config)
    common = {"overwrite_blocks_from_initial_bbasis": basis.overwrite_blocks_from_initial_bbasis}
    if isinstance(basis, PotentialFile):
        own = {"filename": files[0], "reset": basis.reset, "deltaSplineBins": basis.deltaSplineBins}
        return {**own, **common, "initial_potential": files[1:]}
    return {
        "elements": sorted(basis.elements),
        "deltaSplineBins": basis.deltaSplineBins,
        **with_defaults(basis),
        "functions": _functions(basis),
        **common,
        "initial_potential": files,
    }


def _functions(basis: PotentialDefinition) -> Plain:
    """Entries with the default of `coefs_init` in the weakest entry of each block."""
    shapes = basis.functions.shapes
    entries: Plain = {}
    for name, shape in shapes.items():
        arity = keyword_arity(name) if name in KEYWORDS else len(split_key(name))
        weaker = {"ALL", KEYWORDS[min(arity, 5)]} - {name}
        default = {} if name != "ALL" and weaker & set(shapes) else {"coefs_init": shape.coefs_init}
        entries[name] = {**default, **given_keys(shape)}
    if basis.functions.number_of_functions_per_element is not None:
        limits = ("number_of_functions_per_element", "number_of_functions_mode")
        entries.update({name: getattr(basis.functions, name) for name in limits})
    return entries


def fit_params(config: Config, cycle: int) -> Plain:
    """Everything one minimisation depends on besides its input files.

    Parameters
    ----------
    cycle : number of the cycle, from 0; the first one is neither perturbed nor a restart, so that it survives a change of these
    """
    fit = config.fit
    keys = ("optimizer", "maxiter", "trainable_parameters", "early_stopping_patience", "callback_errors", *PERTURBATIONS)
    thresholds = ("min_relative_train_loss_per_iter", "min_relative_test_loss_per_iter")
    settings: Plain = {key: getattr(fit, key) for key in (*keys, *thresholds)}
    settings["loss"] = fit.loss.model_dump()
    settings["options"] = {key: value for key, value in fit.options.items() if key in OPTIMIZER_OPTIONS[fit.optimizer]}
    settings["restarts"] = restarts(config)
    settings["callbacks"] = as_list(fit.callbacks)
    settings["callback_folders"] = [".", from_here(config.base_path)] if fit.callbacks else []
    settings["display_step"] = config.backend.display_step
    settings["tables"] = config.backend.tables
    if cycle == 0:
        settings.update(dict.fromkeys(PERTURBATIONS, 0.0), restarts="chain")
    return {"fit": settings, "seed": config.seed}


def fit_memory(config: Config) -> float | None:
    """Memory to reserve for one fit in MB, None to estimate it; a resource, which reruns nothing when it changes."""
    return config.fit.max_memory


def fit_stream(config: Config) -> str:
    """Whether fits keep their pairs in files; like memory it changes no result and reruns nothing."""
    return config.fit.stream


def restarts(config: Config) -> str:
    """`chain` or `parallel`, with the default resolved."""
    return config.fit.restarts or ("parallel" if config.fit.randomize_func_coeffs > 0 else "chain")


def select_params(config: Config) -> Plain:
    """Whether all cycles are kept as an ensemble."""
    return {"ensemble": config.fit.randomize_func_coeffs > 0}


def potential_params(config: Config) -> Plain:
    """What is done to the selected potential: core repulsion and metadata."""
    return {"repulsion": config.fit.repulsion, "metadata": config.metadata}


def export_params(config: Config) -> Plain:
    """What the potential for other programs has beside that of the run."""
    return {"e0": config.export.e0}


def predict_params(config: Config) -> Plain:
    """How the final potential is evaluated."""
    return {"tables": config.backend.tables}


def active_set_params(config: Config) -> Plain:
    """Kind of the active set."""
    return {"full": _active(config).full, "tables": config.backend.tables}


def exploration_files(config: Config) -> list[str]:
    """Resolve the files of structures from which the potential explores.

    Raises
    ------
    ConfigError
        If one is missing.
    """
    names = _entries(("active", "explore", "structures"), _active(config).explore.structures)
    return [_data_path(config, name, path) for path, name in names]


def walks(config: Config) -> list[Plain]:
    """Temperature (K), pressure (GPa or None) and seed of each walk of a round."""
    explore = _active(config).explore
    pressures: list[float] | list[None] = [None] if explore.pressures is None else explore.pressures
    each = [(t, p) for t in explore.temperatures for p in pressures for _ in range(explore.repetitions)]
    first = config.seed + len(each) * len(config.labelled)
    return [{"temperature": t, "pressure": p, "seed": first + number} for number, (t, p) in enumerate(each)]


def explore_params(config: Config, walk: int) -> Plain:
    """How one walk explores."""
    explore = _active(config).explore
    keys = ("steps", "timestep", "interval", "collect_above", "stop_above")
    return {**{key: getattr(explore, key) for key in keys}, **walks(config)[walk], "tables": config.backend.tables}


def report_params(config: Config, name: str) -> Plain:
    """Name of the run, and what its configuration says of the potential, the data and the fit, as text."""
    given = config.model_dump(
        by_alias=True, exclude_unset=True, mode="json", include={"seed", "potential", "data", "fit", "backend"}
    )
    return {"name": name, "configuration": yaml.safe_dump(given, sort_keys=False, allow_unicode=True, width=110)}


def choose_params(config: Config) -> Plain:
    """How many candidates are chosen, and which are rejected."""
    active = _active(config)
    return {"most": active.most, "reject_above": active.reject_above, "tables": config.backend.tables}


def label_jobs(config: Config) -> int:
    """Number of jobs that calculate labels side by side, each of which may have a structure."""
    active = _active(config)
    return min(active.label.jobs, active.most)


def calculate_params(config: Config) -> Plain:
    """Calculator that labels structures; `source` is the digest of its module where that is a file of the user.

    Raises
    ------
    ConfigError
        If the fit takes energies as they stand in the files, while a calculator gives total energies.
    """
    label = _active(config).label
    if reference_energy(config) is None:
        raise ConfigError("active.label gives total energies; give data.reference_energy, e.g. isolated or auto")
    folders = [".", from_here(config.base_path)]
    source = user_digest(label.calculator.rpartition(".")[0], folders)
    return {**label.model_dump(exclude={"jobs"}), "folders": folders, "source": source}


def _active(config: Config) -> ActiveSection:
    if config.active is None:
        raise ConfigError("the configuration has no section active, so there is nothing to explore or label")
    return config.active
