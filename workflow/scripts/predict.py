"""Snakemake script of the rule `predict`."""

from acefit.steps.predict import predict
from acefit.workflow import job_context

with job_context(snakemake):
    predict(
        **snakemake.params.settings,
        code=snakemake.params.code,
        path_to_potential=snakemake.input.potential,
        path_to_structures=snakemake.input.structures,
        path_to_atoms=snakemake.input.atoms,
        paths_to_shards=snakemake.input.shards,
        path_to_weights=snakemake.input.weights,
        path_to_atom_weights=snakemake.input.atom_weights,
        path_to_predicted_structures=snakemake.output.structures,
        path_to_predicted_atoms=snakemake.output.atoms,
        path_to_cost=snakemake.output.cost,
    )
