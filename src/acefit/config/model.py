"""The whole configuration: pacemaker's input tree with the additions of this program."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr

from acefit.config.active_section import ActiveSection
from acefit.config.data_section import DataInput
from acefit.config.export_section import ExportSection
from acefit.config.fields import Name, Positive, Section, Seed, key
from acefit.config.fit_section import BackendSection, FitSection
from acefit.config.potential_section import PotentialSection, SingleElementPotential
from acefit.config.source import Source


def _to_text(value: Any) -> Any:
    return {str(k): "" if v is None else str(v) for k, v in value.items()} if isinstance(value, dict) else value


def _name_keys(value: Any) -> Any:
    return {str(k): {} if v is None else v for k, v in value.items()} if isinstance(value, dict) else value


RUN_NAME = "[A-Za-z0-9][A-Za-z0-9._+-]*"
"""What a run may be called: it is the name of a folder."""

Changes = Annotated[dict[str, dict[str, Any]], Field(min_length=1), BeforeValidator(_name_keys)]
Choices = Annotated[list[Any], Field(min_length=1)]


class Config(Section):
    """A complete configuration.

    Attributes
    ----------
    notices : lines about keys that were accepted without effect and choices worth knowing; print them once
    base_path : folder of the input file, against which relative paths are resolved as a last resort
    sources : the input files, later ones over earlier ones
    """

    name: Annotated[str, Field(pattern=f"^{RUN_NAME}$")] | None = key(
        None,
        "Name of the run and its folder in `results/`; default: that of the configuration file or its folder",
        ours=True,
    )
    cutoff: Positive | None = key(
        None, "Accepted for compatibility; neighbours are taken up to the largest rcut of the bonds", unit="Angstrom"
    )
    seed: Seed = key(42, "Seed of all random choices")
    metadata: Annotated[dict[str, str], BeforeValidator(_to_text, json_schema_input_type=dict[str, Any])] = key(
        {}, "Free text entries written to the potential"
    )
    potential: PotentialSection = key(..., "What is fitted: a basis to construct, or a potential file")
    data: DataInput = key(..., "Datasets")
    fit: FitSection = key(FitSection(), "How the parameters are fitted")
    backend: BackendSection = key(BackendSection(), "How energies are evaluated")
    export: ExportSection = key(ExportSection(), "What is written for other programs", ours=True)
    active: ActiveSection | None = key(
        None, "Active learning: rounds that explore, label what is new and go on fitting; each is a run", ours=True
    )
    runs: Annotated[Changes | Name | None, Field(union_mode="left_to_right")] = key(
        None,
        "Several runs in one: for each name the keys (dotted, such as `fit.maxiter`) whose values differ from this file; or a "
        "CSV file with a row per run, whose first column is the name and whose others are keys (an empty cell changes nothing)",
        ours=True,
    )
    sweep: Annotated[dict[str, Choices], Field(min_length=1)] | None = key(
        None, "Several runs in one: for each key (dotted) a list of values; all combinations are run", ours=True
    )

    _labelled: tuple[str, ...] = PrivateAttr(default=())
    _start: str | None = PrivateAttr(default=None)
    _notices: tuple[str, ...] = PrivateAttr(default=())
    _base_path: Path = PrivateAttr(default=Path())
    _sources: tuple[Source, ...] = PrivateAttr(default=())

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines to print once."""
        return self._notices

    @property
    def base_path(self) -> Path:
        """Folder of the input file."""
        return self._base_path

    @property
    def sources(self) -> tuple[Source, ...]:
        """Files it was read from, for the lines of its keys."""
        return self._sources

    @property
    def labelled(self) -> tuple[str, ...]:
        """Datasets that earlier rounds make, beside those of `data`."""
        return self._labelled

    @property
    def start(self) -> str | None:
        """Potential of the round before, from which this one starts."""
        return self._start

    @property
    def basis(self) -> Any:
        """The potential section with the old single-element form converted."""
        return self.potential.definition() if isinstance(self.potential, SingleElementPotential) else self.potential
