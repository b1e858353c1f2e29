"""The potential in memory, and reading and writing its files."""
