"""One module per workflow rule: keyword arguments and paths in, files out."""
