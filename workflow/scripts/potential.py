"""Snakemake script of the rule `potential`."""

from acefit.steps.potential import potential
from acefit.workflow import job_context

with job_context(snakemake):
    potential(
        **snakemake.params.settings,
        code=snakemake.params.code,
        path_to_selected=snakemake.input.selected,
        path_to_structures=snakemake.input.structures,
        path_to_atoms=snakemake.input.atoms,
        path_to_references=snakemake.input.references,
        path_to_weights=snakemake.input.weights,
        paths_to_shards=snakemake.input.shards,
        path_to_potential=snakemake.output.potential,
    )
