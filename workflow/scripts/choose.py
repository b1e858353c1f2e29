"""Snakemake script of the rule `choose`."""

from acefit.steps.choose import choose
from acefit.workflow import job_context

with job_context(snakemake):
    choose(
        **snakemake.params.settings,
        code=snakemake.params.code,
        path_to_potential=snakemake.input.potential,
        path_to_active_set=snakemake.input.active_set,
        paths_to_structures=snakemake.input.structures,
        paths_to_atoms=snakemake.input.atoms,
        path_to_chosen_structures=snakemake.output.structures,
        path_to_chosen_atoms=snakemake.output.atoms,
    )
