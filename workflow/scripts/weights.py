"""Snakemake script of the rule `weights`."""

from acefit.steps.weights import weights
from acefit.workflow import job_context

with job_context(snakemake):
    weights(
        **snakemake.params.settings,
        path_to_given=snakemake.input.given or None,
        code=snakemake.params.code,
        path_to_structures=snakemake.input.structures,
        path_to_atoms=snakemake.input.atoms,
        path_to_split=snakemake.input.split,
        path_to_weights=snakemake.output.structures,
        path_to_atom_weights=snakemake.output.atoms,
        path_to_summary=snakemake.output.summary,
    )
