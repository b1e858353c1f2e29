"""The `export` section: files for other programs."""

from typing import Literal

from acefit.config.fields import Section, key


class ExportSection(Section):
    """What is written for LAMMPS beside the potential."""

    e0: Literal["zero", "references"] = key(
        "zero",
        "Energy per atom in the `.yace` file: zero leaves energies on the scale of the fit, as pacemaker does; references fills "
        "in what `data.reference_energy` subtracted, so that energies in LAMMPS are total energies of the reference method",
        ours=True,
    )
