"""Lines of a LAMMPS input that use a potential, and what is different there."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from acefit.potential.model import Potential

WIDTH = 110


def lammps_input(potential: Potential, file_name: str) -> str:
    """Lines for a LAMMPS input, with notes as comments.

    Parameters
    ----------
    potential : as written, that is, with the E0 of the file
    file_name : of the `.yace` file, as LAMMPS is to find it
    """
    elements = " ".join(potential.elements)
    energies = {element: potential.e0.get(element, 0.0) for element in potential.elements}
    if any(energies.values()):
        scale = "Energies include E0 per atom: " + ", ".join(f"{e} {energy:.10g} eV" for e, energy in energies.items()) + "."
    else:
        scale = "Energies are on the scale of the fit: E0 is zero, energies of isolated atoms are not included."
    notes = [
        scale,
        "The elements behind the file name are those of the atom types 1, 2, ... of your system: one for every type, in order.",
        "`pair_style pace` takes the recursive evaluator, which is the faster one; `pair_style pace product` is the other.",
        *portability_notes(potential),
    ]
    lines = ["# Interatomic potential made by acefit; needs LAMMPS with the package ML-PACE", "#"]
    for note in notes:
        first, *rest = wrap(note, WIDTH, break_on_hyphens=False, break_long_words=False)
        lines += [f"# * {first}", *(f"#   {line}" for line in rest)]
    quoted = f'"{file_name}"' if any(map(str.isspace, file_name)) else file_name
    lines += ["", "units           metal", "atom_style      atomic", "newton          on", ""]
    lines += ["pair_style      pace", f"pair_coeff      * * {quoted} {elements}"]
    return "\n".join(lines) + "\n"


def portability_notes(potential: Potential) -> Iterator[str]:
    """Yield what of this potential is different in LAMMPS, or depends on its version."""
    bonds = list(potential.bonds.items())
    modes = {bond.inner_cutoff_type for _, bond in bonds if bond.rcut_in > 0.0 or bond.core_repulsion[0] != 0.0}
    if modes - {"density"}:
        yield (
            f"inner_cutoff_type is {', '.join(sorted(modes))}: a version of ML-PACE that does not know this key takes it for "
            "density, which is another potential at short distances; compare the energy of one close pair first."
        )
    if len({embedding.ndensity for embedding in potential.embeddings.values()}) > 1:
        yield (
            "Elements have different numbers of densities; the file has the largest number for all, padded with zeros, because "
            "the recursive evaluator is wrong otherwise."
        )
    for (a, b), bond in bonds:
        if bond.inner_cutoff_type == "zbl" and bond.dcut_in == 0.0:
            yield f"Bond {a}-{b}: zbl with delta_in = 0 ends all radial functions below 1 Angstrom in LAMMPS, but not in acefit."
        if bond.radbase == "ChebLinear":
            yield f"Bond {a}-{b}: ChebLinear does not vanish at the cutoff; LAMMPS interpolates it to zero in the last bin."
    yield (
        f"LAMMPS interpolates radial functions in bins of {potential.delta_spline_bins:g} Angstrom; energies differ from the "
        "analytic ones by what that costs, and a distance below one bin is an error."
    )
