"""Snakemake script of the rule `calculate`."""

from pathlib import Path

from acefit.steps.calculate import calculate
from acefit.workflow import job_context

with job_context(snakemake):
    calculate(
        **snakemake.params.settings,
        code=snakemake.params.code,
        job=int(snakemake.wildcards.job),
        n_jobs=int(snakemake.wildcards.jobs),
        path_to_structures=snakemake.input.structures,
        path_to_atoms=snakemake.input.atoms,
        path_to_labelled_structures=snakemake.output.structures,
        path_to_labelled_atoms=snakemake.output.atoms,
        path_to_results=snakemake.params.results,
        path_to_files=Path(snakemake.output.structures).parent / "files",
    )
