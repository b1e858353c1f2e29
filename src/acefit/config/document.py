"""Writes the documentation of all keys and the JSON schema for editors: `python -m acefit.config.document [REPOSITORY]`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acefit.config import active_section, data_section, export_section, fit_section, model, potential_section
from acefit.config.document_examples import EXAMPLES
from acefit.config.fields import Section
from acefit.config.schema_text import Node, describe, resolved, schema

TABLE_FILE = Path("docs/configuration.md")
SCHEMA_FILE = Path("workflow/schemas/config.schema.json")

INTRODUCTION = """\
# Configuration

<!-- Written by `python -m acefit.config.document`; edit the model in `src/acefit/config`, not this file. -->

One YAML file, whose sections are those of pacemaker's `input.yaml`; such a file runs unchanged with
`snakemake --cores N --configfile input.yaml`. Keys marked *own* exist only here. Keys of pacemaker that have no meaning here are
accepted, and one line says so. Everything else that is unknown, of a wrong type, out of range or contradictory is an error; all
errors are listed at once, each with file, line, key, valid values and the nearest valid key.

A key without a value counts as not given. Numbers may be written as `1e-8`. Lengths are in Angstrom, energies in eV, forces in
eV/Angstrom, stresses in eV/Angstrom^3 with the sign of ASE. File names are looked for from the working directory, then (datasets
only) in `data: datapath` or the folder named by the environment variable `PACEMAKERDATAPATH`, then from the folder of the
configuration file.
"""

SECTIONS: tuple[tuple[str, str, type[Section]], ...] = (
    ("Top level", "", model.Config),
    ("Potential: a constructed basis", "potential", potential_section.PotentialDefinition),
    ("Embeddings", "potential.embeddings.<key>", potential_section.EmbeddingSettings),
    ("Bonds", "potential.bonds.<key>", potential_section.BondSettings),
    ("Functions", "potential.functions", potential_section.Functions),
    ("Shapes", "potential.functions.<key>", potential_section.FunctionShape),
    ("Potential: a file", "potential", potential_section.PotentialFile),
    ("Potential: the old form for one element", "potential", potential_section.SingleElementPotential),
    ("Data", "data", data_section.DataSection),
    ("Fit", "fit", fit_section.FitSection),
    ("Loss", "fit.loss", fit_section.LossSettings),
    ("Weighting: by energy", "fit.weighting", fit_section.EnergyBasedWeightingPolicy),
    ("Weighting: from a file", "fit.weighting", fit_section.ExternalWeightingPolicy),
    ("Weighting: uniform", "fit.weighting", fit_section.UniformWeightingPolicy),
    ("Backend", "backend", fit_section.BackendSection),
    ("Export", "export", export_section.ExportSection),
    ("Active learning", "active", active_section.ActiveSection),
    ("Exploration", "active.explore", active_section.ExploreSection),
    ("Labels", "active.label", active_section.LabelSection),
)


def documentation() -> str:
    """Markdown page of all keys."""
    parts = [INTRODUCTION]
    for title, path, section in SECTIONS:
        node = schema()["$defs"][section.__name__] if path else schema()
        heading = f"## {title}" + (f" (`{path}`)" if path else "")
        about = "" if section is model.Config else str(node["description"]).split("\n\n")[0]
        parts.append(f"{heading}\n\n{about}")
        parts.append("\n".join(_table(node)))
        if title in EXAMPLES:
            parts.append(f"```yaml\n{EXAMPLES[title].strip()}\n```")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(node: Node) -> Iterator[str]:
    properties = {name: resolved(child) for name, child in node["properties"].items()}
    yield "| key | values | default | unit | meaning |"
    yield "|---|---|---|---|---|"
    for name, child in properties.items():
        if "ignored" not in child:
            own = "*own.* " if child.get("origin") == "acefit" else ""
            default = "required" if name in node.get("required", []) else _default(child)
            cells = (f"`{name}`", describe(child), default, child.get("unit", ""), own + child["description"])
            yield "| " + " | ".join(_cell(cell) for cell in cells) + " |"
    ignored = [f"`{name}` ({child['ignored']})" for name, child in properties.items() if "ignored" in child]
    if ignored:
        yield f"\nAccepted without effect: {', '.join(ignored)}."


def _default(node: Node) -> str:
    value: Any = node.get("default")
    if value is None or value == {} or isinstance(value, dict):
        return ""
    return f"`{json.dumps(value) if not isinstance(value, float) else format(value, 'g')}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def editor_schema() -> str:
    """JSON schema for editors."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps({**head, **schema(), "title": "acefit configuration"}, indent=1, ensure_ascii=False) + "\n"


def write_documents(repository: Path) -> list[Path]:
    """Write both files below a repository; returns their paths."""
    written = []
    for name, text in ((TABLE_FILE, documentation()), (SCHEMA_FILE, editor_schema())):
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in write_documents(Path(sys.argv[1] if len(sys.argv) > 1 else ".")):
        print(path)
