"""Checks and notices that need several keys, for the sections other than `potential`."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from acefit.config.elements import KEYWORDS, SYMBOLS, split_key
from acefit.config.fields import Section, as_list
from acefit.config.fit_section import (
    OPTIMIZER_OPTIONS,
    OPTIONS_WITHOUT_EFFECT,
    EnergyBasedWeightingPolicy,
    ExternalWeightingPolicy,
    FitSection,
)
from acefit.config.model import Config
from acefit.config.potential_section import PotentialDefinition
from acefit.config.problems import Problem, nearest
from acefit.config.relations_potential import potential_notices, potential_problems

REFERENCE_WORDS = ("auto", "isolated")
DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
TRAINABLE_WORDS = (*KEYWORDS, "func", "radial")


def relation_problems(config: Config) -> list[Problem]:
    """Everything that is wrong although each key by itself is fine."""
    checks: tuple[Callable[[Config], Iterator[Problem]], ...] = (
        potential_problems,
        _data_problems,
        _reference_problems,
        _export_problems,
        _weighting_problems,
        _options_problems,
        _fit_problems,
        _trainable_problems,
        _active_problems,
    )
    return [problem for check in checks for problem in check(config)]


def _data_problems(config: Config) -> Iterator[Problem]:
    data = config.data
    if data.test_filename is not None and data.test_size is not None:
        message = "cannot be combined with test_filename: keep one of them"
        yield Problem(("data", "test_size"), message, (("data", "test_filename"),))
    if data.test_size is not None and data.test_size >= 1 and not data.test_size.is_integer():
        yield Problem(("data", "test_size"), f"must be a share below 1 or a whole number of structures; got {data.test_size:g}")


def _reference_problems(config: Config) -> Iterator[Problem]:
    reference, here = config.data.reference_energy, ("data", "reference_energy")
    if isinstance(reference, str) and reference not in REFERENCE_WORDS and not reference.endswith(".csv"):
        valid = f"a map by element, a number, {', '.join(REFERENCE_WORDS)}, or a CSV file (pacemaker's tables are not included)"
        yield Problem(here, f"is '{reference}'; valid: {valid}{nearest(reference, REFERENCE_WORDS)}")
    for symbol in reference if isinstance(reference, dict) else ():
        if symbol not in (*SYMBOLS, "shift"):
            yield Problem((*here, symbol), f"must be a chemical symbol or 'shift'{nearest(symbol, (*SYMBOLS, 'shift'))}")


def _export_problems(config: Config) -> Iterator[Problem]:
    """What would stop the run only when all fits are done."""
    starts_from_file = not isinstance(config.basis, PotentialDefinition) or config.basis.initial_potential is not None
    if config.export.e0 == "references" and config.data.reference_energy is None and not starts_from_file:
        message = "needs data.reference_energy: data with corrected energies do not say what was subtracted"
        yield Problem(("export", "e0"), message)


def _active_problems(config: Config) -> Iterator[Problem]:
    if config.active is None:
        return
    explore, here = config.active.explore, ("active", "explore", "collect_above")
    if explore.collect_above > explore.stop_above:
        message = f"{explore.collect_above:g} must not exceed stop_above = {explore.stop_above:g}"
        yield Problem(here, message, (("active", "explore", "stop_above"),))


def _weighting_problems(config: Config) -> Iterator[Problem]:
    policy, here = config.fit.weighting, ("fit", "weighting")
    if isinstance(policy, ExternalWeightingPolicy) and (policy.filename is None) == (policy.filename_or_df is None):
        yield Problem((*here, "filename"), "give the weight file, once, as filename or filename_or_df")
    if not isinstance(policy, EnergyBasedWeightingPolicy):
        return
    tiers = ((*here, "n_lower"), (*here, "n_upper"))
    if (policy.n_lower is None) != (policy.n_upper is None):
        missing, given = ("n_upper", "n_lower") if policy.n_upper is None else ("n_lower", "n_upper")
        yield Problem((*here, given), f"needs {missing} too: give both or none", tiers)
    if policy.nfit is not None and (policy.n_lower is not None or policy.n_upper is not None):
        yield Problem((*here, "nfit"), "cannot be combined with n_lower and n_upper: keep nfit or these two", tiers)
    if policy.DElow > policy.DEup:
        message = f"{policy.DElow:g} eV/atom must not exceed DEup = {policy.DEup:g} eV/atom"
        yield Problem((*here, "DElow"), message, ((*here, "DEup"),))


def _options_problems(config: Config) -> Iterator[Problem]:
    name = config.fit.optimizer
    known = OPTIMIZER_OPTIONS[name]
    for option, value in config.fit.options.items():
        here = ("fit", "options", option)
        if option == "maxiter":
            yield Problem(here, f"belongs to fit.maxiter: write `maxiter: {value:g}` there")
        elif option not in known | OPTIONS_WITHOUT_EFFECT:
            hint = nearest(option, known) or f"; valid options: {', '.join(sorted(known))}"
            yield Problem(here, f"unknown option of {name}{hint}", (("fit", "optimizer"),))
        elif option in known and (isinstance(value, bool) or value < 0):
            yield Problem(here, f"must be a number, 0 or more; got {value}")
        elif option == "batch_size" and (value < 1 or value % 1):
            yield Problem(here, f"must be a whole number of structures, 1 or more; got {value:g}")


def _fit_problems(config: Config) -> Iterator[Problem]:
    fit = config.fit
    noise = ("noise_relative_sigma", "noise_absolute_sigma", "randomize_func_coeffs")
    if fit.restarts == "parallel" and fit.fit_cycles > 1 and not any(getattr(fit, key) for key in noise):
        message = f"parallel cycles would all be the same: give one of {', '.join(noise)}, or use chain"
        yield Problem(("fit", "restarts"), message, tuple(("fit", key) for key in (*noise, "fit_cycles")))
    names = as_list(fit.callbacks)
    for index, name in enumerate(names):
        if not DOTTED_NAME.fullmatch(name):
            here = ("fit", "callbacks") if isinstance(fit.callbacks, str) else ("fit", "callbacks", index)
            yield Problem(here, f"'{name}' is no importable name: must look like package.module.function")


def _trainable_problems(config: Config) -> Iterator[Problem]:
    spec, here = config.fit.trainable_parameters, ("fit", "trainable_parameters")
    elements = set(config.basis.elements) if isinstance(config.basis, PotentialDefinition) else set(SYMBOLS)
    words: list[tuple[tuple[str | int, ...], str]]
    if isinstance(spec, str):
        words = [(here, spec)]
    elif isinstance(spec, list):
        words = [((*here, index), word) for index, word in enumerate(spec)]
    else:
        words = [((*here, word), word) for word in spec]
    for place, word in words:
        symbols = split_key(word)
        # Initial potentials may bring elements of their own
        foreign = set(symbols) - elements if not config.basis.initial_potential else set()
        if word not in TRAINABLE_WORDS and (not symbols or foreign or len(set(symbols)) < len(symbols)):
            valid = f"must be one of {', '.join(TRAINABLE_WORDS)}, or a block such as AlNi of the elements of the potential"
            yield Problem(
                place, f"'{word}' names no block: {valid}{nearest(word, TRAINABLE_WORDS)}", (("potential", "elements"),)
            )


def relation_notices(config: Config) -> list[str]:
    """Lines about keys without effect and choices worth knowing."""
    notices = [*_ignored_keys(config, ""), *potential_notices(config), *_data_notices(config), *_fit_notices(config.fit)]
    if config.fit.min_relative_test_loss_per_iter is not None and not has_test_set(config):
        notices.append("fit.min_relative_test_loss_per_iter: has no effect without a test set")
    return notices


def has_test_set(config: Config) -> bool:
    """Tell whether any structure may be set aside for testing."""
    return config.data.test_filename is not None or config.data.test_size is not None


def _ignored_keys(section: Section, path: str) -> Iterator[str]:
    """One line per section for the keys of pacemaker that are accepted without effect."""
    ignored = []
    for name, field in type(section).model_fields.items():
        extra: Any = field.json_schema_extra
        value = getattr(section, name)
        if "ignored" in extra and name in section.model_fields_set:
            ignored.append(f"{name} ({extra['ignored']})")
        elif isinstance(value, Section):
            yield from _ignored_keys(value, f"{path}.{name}".lstrip("."))
    if ignored:
        yield f"{path}: accepted without effect: {', '.join(ignored)}"


def _data_notices(config: Config) -> Iterator[str]:
    reference, basis = config.data.reference_energy, config.basis
    if isinstance(reference, int | float) and reference != 0:
        yield f"data.reference_energy: {reference:g} eV is subtracted for every atom (pacemaker takes any number for 0)"
    if isinstance(reference, dict) and isinstance(basis, PotentialDefinition):
        absent = sorted(set(basis.elements) - set(reference))
        if absent:
            yield f"data.reference_energy: 0 is used for {', '.join(absent)}"
    if config.data.stratify and config.data.test_size is None:
        yield "data.stratify: has no effect without test_size"


def _fit_notices(fit: FitSection) -> Iterator[str]:
    noise = [key for key in ("randomize_func_coeffs", "noise_relative_sigma", "noise_absolute_sigma") if getattr(fit, key)]
    if len(noise) > 1:
        yield f"fit.{noise[0]}: is used; {', '.join(noise[1:])} without effect beside it"
    if noise and fit.fit_cycles == 1:
        yield f"fit.{noise[0]}: has no effect with fit_cycles: 1"
    yield from _trainable_notices(fit.trainable_parameters)
    without_effect = sorted(OPTIONS_WITHOUT_EFFECT & set(fit.options))
    if without_effect:
        yield f"fit.options: {', '.join(without_effect)} accepted without effect"


def _trainable_notices(spec: str | list[str] | dict[str, Any]) -> Iterator[str]:
    """Blocks that look as if they trained radial functions, which belong to the block with sorted elements."""
    words = [spec] if isinstance(spec, str) else list(spec)
    for word in words:
        symbols = split_key(word) if word not in KEYWORDS else ()
        kinds = as_list(spec[word]) if isinstance(spec, dict) else ["all"]
        owner, named = "".join(sorted(symbols)), {"".join(split_key(other)) or other for other in words}
        is_reversed = len(symbols) == 2 and list(symbols) != sorted(symbols) and kinds != ["func"]
        if is_reversed and not named & {owner, "ALL", "BINARY", "radial"}:
            yield f"fit.trainable_parameters: {word} trains functions only; the radial functions of the pair belong to {owner}"
