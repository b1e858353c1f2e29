"""Snakemake script of the rule `explore`."""

from acefit.steps.explore import explore
from acefit.workflow import job_context

with job_context(snakemake):
    explore(
        **snakemake.params.settings,
        code=snakemake.params.code,
        name=f"{snakemake.wildcards.run}/walk-{snakemake.wildcards.walk}",
        path_to_potential=snakemake.input.potential,
        path_to_active_set=snakemake.input.active_set,
        paths_to_start=snakemake.input.start,
        path_to_structures=snakemake.output.structures,
        path_to_atoms=snakemake.output.atoms,
        path_to_gamma=snakemake.output.gamma,
    )
