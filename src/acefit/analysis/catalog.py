"""Names, categories and captions of the figures and tables of the report; plain data that rules import cheaply.

The list does not depend on the data: a figure that has nothing to show (no test set, no stresses) is written as a small
note that says why, so that a workflow can declare its outputs before anything has run.
"""

from __future__ import annotations

from typing import NamedTuple

SUBSETS = ("train", "test")
SUBSET_WORDS = {"train": "training", "test": "test"}


class Entry(NamedTuple):
    """Where a figure or table belongs in the report, and what it shows."""

    category: str
    caption: str


_PER_SUBSET = {
    "ef-pairplots": Entry(
        "Errors",
        "Predicted against reference energy per atom (left) and force components (right) of the {subset} set. "
        "The line marks perfect agreement; colour counts points where they are many.",
    ),
    "e-de-dist": Entry(
        "Errors",
        "Energy errors (predicted minus reference) of the {subset} set against the reference energy, and their RMSE in bins; "
        "above, the distribution of energies; right, the distribution of errors with the normal curve of equal mean and width.",
    ),
    "fi-dfi-dist": Entry(
        "Errors",
        "Errors of the force components of the {subset} set against the reference component, and their RMSE in bins; "
        "histograms as for the energies.",
    ),
    "f-df-dist": Entry(
        "Errors",
        "Norm of the force error vector of the {subset} set against the norm of the reference force, and its RMSE in bins; "
        "histograms as for the energies.",
    ),
    "e-de-nn": Entry(
        "Errors",
        "Reference energy per atom (top) and energy error (bottom) of the {subset} set against the shortest distance in each "
        "structure.",
    ),
    "stress-pairplots": Entry(
        "Errors",
        "Predicted against reference stress of the {subset} set: diagonal (left) and off-diagonal (right) components; tension is "
        "positive.",
    ),
    "ef-distributions": Entry(
        "Data", "Distribution of the energies per atom (left) and of the force norms (right) of the {subset} set."
    ),
}

FIGURES: dict[str, Entry] = {
    f"{subset}-{topic}": Entry(entry.category, entry.caption.format(subset=SUBSET_WORDS[subset]))
    for topic, entry in _PER_SUBSET.items()
    for subset in SUBSETS
} | {
    "group-errors": Entry("Errors", "Root mean square errors of energies and forces by group of structures, train and test."),
    "weights": Entry(
        "Data", "Energy weights and force weights of the training set against energy above the lowest and against force norm."
    ),
    "convergence-loss": Entry(
        "Convergence",
        "Loss against iterations: total for train and test (top) and its parts for the training set (bottom). "
        "Ladder steps follow each other, vertical lines are their boundaries; the cycles of a step start at the same place.",
    ),
    "convergence-errors": Entry(
        "Convergence",
        "Root mean square errors of energies (top) and force components (bottom) against iterations, train and test.",
    ),
    "ladder": Entry(
        "Convergence",
        "Errors at the end of every fit cycle against the number of functions: the line joins the selected cycles, open circles "
        "are the others.",
    ),
    "radial-functions": Entry("Potential", "Radial functions R_nl(r) of every bond, one colour per n, one line style per l."),
    "radial-basis": Entry("Potential", "Radial base functions g_k(r) of every bond."),
    "coefficients": Entry("Potential", "Magnitudes of the function coefficients by order and density."),
    "timing-stages": Entry("Timing", "Wall time and peak memory of each stage, as Snakemake measured them."),
    "timing-evaluations": Entry("Timing", "Time per evaluation of loss and gradient and atom, by ladder step and cycle."),
}

TABLES: dict[str, Entry] = {
    "errors": Entry("Errors", "Errors of energies, forces and stresses by subset; low: structures of low energy."),
    "errors-by-group": Entry("Errors", "Errors by group of structures."),
    "errors-by-element": Entry("Errors", "Force errors by element."),
    "cycles": Entry("Convergence", "Every fit cycle: size, loss, errors, evaluations and why it stopped."),
    "worst-structures": Entry("Errors", "The structures with the largest energy and force errors."),
    "excluded": Entry("Data", "Structures that took no part in the fit, and why."),
    "timing": Entry("Timing", "Wall time, processor time and peak memory of each job."),
}


def figure_file(name: str) -> str:
    """File name of a figure of `FIGURES`."""
    return f"figure-{name}.png"


def table_file(name: str) -> str:
    """File name of a table of `TABLES`."""
    return f"{name}.csv"
