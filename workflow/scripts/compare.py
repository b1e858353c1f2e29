"""Snakemake script of the rule `compare`."""

from acefit.steps.compare import compare
from acefit.workflow import job_context

with job_context(snakemake):
    compare(
        **snakemake.params.settings,
        code=snakemake.params.code,
        paths_to_structures=snakemake.input.structures,
        paths_to_atoms=snakemake.input.atoms,
        paths_to_costs=snakemake.input.costs,
        path_to_table=snakemake.output.table,
        path_to_csv=snakemake.output.csv,
        path_to_figure=snakemake.output.figure,
        path_to_page=snakemake.output.summary,
    )
