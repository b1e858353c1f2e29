"""The configuration: one typed model of the input file, its checks, and what each stage takes from it."""
