"""Snakemake script of the rule `activeset`."""

from acefit.steps.activeset import activeset
from acefit.workflow import job_context

with job_context(snakemake):
    activeset(
        **snakemake.params.settings,
        code=snakemake.params.code,
        path_to_potential=snakemake.input.potential,
        path_to_structures=snakemake.input.structures,
        path_to_atoms=snakemake.input.atoms,
        path_to_weights=snakemake.input.weights,
        path_to_active_set=snakemake.output.active_set,
        path_to_summary=snakemake.output.summary,
    )
