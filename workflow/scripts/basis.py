"""Snakemake script of the checkpoint `basis`."""

from acefit.steps.basis import basis
from acefit.workflow import job_context

with job_context(snakemake):
    basis(
        **snakemake.params.settings,
        paths_to_potentials=snakemake.input.potentials,
        code=snakemake.params.code,
        path_to_target=snakemake.output.target,
        path_to_functions=snakemake.output.functions,
        path_to_ladder=snakemake.output.ladder,
        path_to_steps=snakemake.output.steps,
        path_to_start=snakemake.output.start,
    )
