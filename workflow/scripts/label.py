"""Snakemake script of the rule `label`."""

from acefit.steps.label import label
from acefit.workflow import job_context

with job_context(snakemake):
    label(
        code=snakemake.params.code,
        path_to_chosen_structures=snakemake.input.chosen,
        paths_to_structures=snakemake.input.structures,
        paths_to_atoms=snakemake.input.atoms,
        path_to_labelled_structures=snakemake.output.structures,
        path_to_labelled_atoms=snakemake.output.atoms,
    )
