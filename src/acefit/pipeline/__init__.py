"""Whole runs: where their files are, checking before, running without Snakemake or by it, and looking at what there is."""
