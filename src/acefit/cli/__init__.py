"""The command `acefit`: thin over the same functions as the pipeline."""
