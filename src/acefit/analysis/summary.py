"""What a finished run says on the terminal."""

from __future__ import annotations

import csv
from pathlib import Path


def final_errors(path_to_errors: str | Path) -> str:
    """Root mean square errors of the final potential as text, one line for each of the training and the test set.

    Parameters
    ----------
    path_to_errors : path
        Table `errors` of the report (CSV): energies in meV/atom, force components in eV/Angstrom. What was not measured, and sets
        without structures, are left out.
    """
    with Path(path_to_errors).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["structures"] == "all" and row["subset"] != "excluded"]
    lines = []
    for row in rows:
        errors = [
            f"{name} {float(row[column]):.{digits}f} {unit}"
            for name, column, digits, unit in (("energy", "rmse_epa", 2, "meV/atom"), ("forces", "rmse_f_comp", 4, "eV/Å"))
            if row[column]
        ]
        count = f"({row['n_structures']} structures)"
        lines.append(f"{row['subset'] + ' RMSE:':<12}{', '.join(errors) or 'nothing to compare with'} {count}")
    return "\n".join(lines)
