"""Snakemake script of the rule `report`."""

from pathlib import Path

from acefit.steps.report import report
from acefit.workflow import job_context

with job_context(snakemake):
    report(
        **snakemake.params.settings,
        path_to_potential=snakemake.input.potential,
        path_to_predicted_structures=snakemake.input.predicted_structures,
        path_to_predicted_atoms=snakemake.input.predicted_atoms,
        path_to_references=snakemake.input.references,
        path_to_weight_summary=snakemake.input.weight_summary,
        paths_to_metrics=snakemake.input.metrics,
        paths_to_results=snakemake.input.results,
        paths_to_cycles=snakemake.input.cycles,
        paths_to_benchmarks=snakemake.params.benchmarks,
        path_to_figures=Path(snakemake.output.summary).parent,
        path_to_tables=Path(snakemake.output.summary).parent / "tables",
        path_to_report=snakemake.output.summary,
    )
