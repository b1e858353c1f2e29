"""Small outputs of VASP as its users have them, with any numbers: OUTCAR and vasprun.xml."""

from ase.units import GPa

EDIFF = "------------------------ aborting loop because EDIFF is reached ----------------------------------------"
NOT_REACHED = "------------------------ aborting loop EDIFF was not reached (unconverged) ----------------------------"


def outcar(steps, nelm=60, iterations=7, loop_ends=EDIFF, finished=True):
    """OUTCAR of some ASE atoms whose calculators have free_energy, energy, forces and stress."""
    symbols = list(dict.fromkeys(steps[0].symbols))
    counts = [list(steps[0].symbols).count(symbol) for symbol in symbols]
    lines = [" vasp.6.3.0 20Jan22 (build Feb 1 2022) complex", ""]
    lines += [f" POTCAR:    PAW_PBE {symbol} 05Jan2001" for symbol in symbols] * 2
    lines += [
        f"   NELM   =    {nelm:3d};   NELMIN=  2; NELMDL= -5     # of ELM steps",
        "   ISPIN  =      1    spin polarized calculation?",
    ]
    lines += [f"   ions per type = {' '.join(f'{n:15d}' for n in counts)}", ""]
    for number, atoms in enumerate(steps, 1):
        results = atoms.calc.results
        lines += [
            f"--------------------------------------- Iteration {number:6d}({i:4d})  -----" for i in range(1, iterations + 1)
        ]
        xx, yy, zz, yz, xz, xy = (-value / (0.1 * GPa) for value in results["stress"])
        lines += [loop_ends, "  in kB  " + "".join(f" {value:18.9f}" for value in (xx, yy, zz, xy, yz, xz))]
        lines += ["      direct lattice vectors                 reciprocal lattice vectors"]
        lines += ["    " + "".join(f" {x:14.9f}" for x in [*row, 0.0, 0.0, 0.0]) for row in atoms.cell.array]
        lines += ["", " POSITION                                       TOTAL-FORCE (eV/Angst)", " " + "-" * 83]
        for position, force in zip(atoms.positions, results["forces"], strict=True):
            lines += ["".join(f" {x:14.9f}" for x in [*position, *force])]
        lines += [" " + "-" * 83, "", "", "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)", "  " + "-" * 51]
        lines += [f"  free  energy   TOTEN  = {results['free_energy']:18.8f} eV", ""]
        entropy = f"  energy  without entropy= {2 * results['energy'] - results['free_energy']:18.8f}"
        lines += [f"{entropy}  energy(sigma->0) = {results['energy']:18.8f}", ""]
    lines += [" General timing and accounting informations for this job:"] if finished else []
    return "\n".join(lines) + "\n"


def vasprun(steps, nelm=60, n_scsteps=3, last_change=1e-6, finished=True):
    """vasprun.xml of such atoms; the last iteration of every step changes the energy by `last_change`."""
    symbols = list(steps[0].symbols)
    kinds = list(dict.fromkeys(symbols))
    rows = "".join(f"<rc><c>{symbol} </c><c>{kinds.index(symbol) + 1:4d}</c></rc>\n" for symbol in symbols)
    nelm_entry, ediff_entry = f'<i type="int" name="NELM">{nelm}</i>', '<i name="EDIFF">0.0001</i>'
    parts = [
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>',
        '<generator><i name="program" type="string">vasp </i></generator>',
        '<kpoints><varray name="kpointlist"><v>0 0 0</v></varray><varray name="weights"><v>1</v></varray></kpoints>',
        f'<parameters><separator name="electronic">{nelm_entry}{ediff_entry}</separator></parameters>',
        f"<atominfo><atoms>{len(symbols)}</atoms><types>{len(kinds)}</types>",
        f'<array name="atoms"><set>\n{rows}</set></array></atominfo>',
        f'<structure name="initialpos">{_structure(steps[0])}</structure>',
    ]
    for atoms in steps:
        results = atoms.calc.results
        names = ("e_fr_energy", "e_wo_entrp", "e_0_energy")
        values = (results["free_energy"], 2 * results["energy"] - results["free_energy"], results["energy"])
        for k in range(n_scsteps):
            offset = last_change * (n_scsteps - 1 - k)
            energies = "".join(f'<i name="{n}">{v + offset:.8f}</i>' for n, v in zip(names, values, strict=True))
            parts.append(f"{'<calculation>' if k == 0 else ''}<scstep><energy>{energies}</energy></scstep>")
        xx, yy, zz, yz, xz, xy = (-value / (0.1 * GPa) for value in results["stress"])
        stress = _rows([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        energies = "".join(f'<i name="{n}">{v:.8f}</i>' for n, v in zip(names, values, strict=True))
        parts.append(f"<structure>{_structure(atoms)}</structure>")
        parts.append(f'<varray name="forces">{_rows(results["forces"])}</varray><varray name="stress">{stress}</varray>')
        parts.append(f"<energy>{energies}</energy></calculation>")
    return "\n".join(parts) + ("\n</modeling>\n" if finished else "\n<calculation><scstep>")


def _structure(atoms):
    basis = f'<crystal><varray name="basis">{_rows(atoms.cell.array)}</varray></crystal>'
    return f'{basis}<varray name="positions">{_rows(atoms.get_scaled_positions(wrap=False))}</varray>'


def _rows(rows):
    return "".join(f"<v>{' '.join(f'{x:.10f}' for x in row)}</v>" for row in rows)
