"""Snakemake script of the rule `fit`."""

from acefit.launch import run_step
from acefit.steps.fit import fit
from acefit.workflow import job_context

with job_context(snakemake):
    arguments = dict(
        **snakemake.params.settings,
        step=snakemake.params.step,
        cycle=snakemake.params.cycle,
        code=snakemake.params.code,
        path_to_step=snakemake.input.step,
        path_to_start=snakemake.input.start,
        paths_to_previous=list(snakemake.input.previous),
        paths_to_shards=list(snakemake.input.shards),
        path_to_structures=snakemake.input.structures,
        path_to_atoms=snakemake.input.atoms,
        path_to_weights=snakemake.input.weights,
        path_to_atom_weights=snakemake.input.atom_weights,
        path_to_summary=snakemake.input.summary,
        path_to_potential=snakemake.output.potential,
        path_to_metrics=snakemake.output.metrics,
        path_to_result=snakemake.output.result,
        max_memory=snakemake.resources.limit_mb or None,
        stream=snakemake.resources.stream,
    )
    run_step(fit, arguments, snakemake)
