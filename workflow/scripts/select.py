"""Snakemake script of the rule `select`."""

from acefit.steps.select import select
from acefit.workflow import job_context

with job_context(snakemake):
    select(
        **snakemake.params.settings,
        code=snakemake.params.code,
        paths_to_results=snakemake.input.results,
        paths_to_potentials=snakemake.input.potentials,
        path_to_potential=snakemake.output.potential,
        path_to_cycles=snakemake.output.cycles,
        path_to_ensemble=snakemake.output.ensemble,
    )
