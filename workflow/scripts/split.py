"""Snakemake script of the rule `split`."""

from acefit.steps.split import split
from acefit.workflow import job_context

with job_context(snakemake):
    split(
        **snakemake.params.settings,
        code=snakemake.params.code,
        path_to_structures=snakemake.input.structures,
        path_to_split=snakemake.output.split,
    )
