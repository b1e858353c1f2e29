"""Snakemake script of the rule `export`."""

from acefit.steps.export import export
from acefit.workflow import job_context

with job_context(snakemake):
    export(
        **snakemake.params.settings,
        code=snakemake.params.code,
        path_to_potential=snakemake.input.potential,
        path_to_yace=snakemake.output.yace,
        path_to_lammps=snakemake.output.lammps,
    )
