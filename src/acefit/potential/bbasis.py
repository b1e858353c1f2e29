"""B-basis potential files: reading, writing and text of a potential; the parts live in `bbasis_read` and `bbasis_write`."""

from acefit.potential.bbasis_read import import_potential, parse_potential, read_potential, read_sealed_potential
from acefit.potential.bbasis_write import format_potential, write_configuration, write_potential

__all__ = [
    "format_potential",
    "import_potential",
    "parse_potential",
    "read_potential",
    "read_sealed_potential",
    "write_configuration",
    "write_potential",
]
