"""Snakemake script of the rule `dataset`."""

from acefit.steps.dataset import dataset
from acefit.workflow import job_context

with job_context(snakemake):
    dataset(
        **snakemake.params.settings,
        code=snakemake.params.code,
        path_to_structures=snakemake.output.structures,
        path_to_atoms=snakemake.output.atoms,
        path_to_references=snakemake.output.references,
    )
