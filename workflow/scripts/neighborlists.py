"""Snakemake script of the rule `neighborlists`."""

from acefit.steps.neighborlists import neighborlists
from acefit.workflow import job_context

with job_context(snakemake):
    neighborlists(
        **snakemake.params.settings,
        code=snakemake.params.code,
        path_to_structures=snakemake.input.structures,
        path_to_atoms=snakemake.input.atoms,
        shard=snakemake.params.shard,
        path_to_shard=snakemake.output.shard,
    )
