"""Compare the loss with that of pacemaker's trainer and predictions with those of its evaluator, both run as black boxes.

    python benchmarks/compare_loss.py --peers DIR [--only NAME ...] [--docs docs/validation.md]

Each case is an invented data set and a random potential. pacemaker reads the potential and stops before the first iteration; the
loss it writes, in full precision, and its weights are compared with those of acefit. Its evaluator, the one LAMMPS links, then
evaluates the same structures with the same potential. Where trainer and evaluator of pacemaker are different models, acefit is
the evaluator's; such cases are compared once more with what the trainer is said to do instead. The tables are printed as
Markdown and written into the section "Loss" of a file on request.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import ase.io
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from acefit.basis.compiled import compile_potential
from acefit.basis.expansion import build_target
from acefit.data.neighborlists import NeighborList, build
from acefit.data.readers import read_files
from acefit.data.structures import StructureSet
from acefit.data.unpickle import read_pickled_frame
from acefit.data.weighting import assign_weights, automatic_kappa
from acefit.data.weights import Weights
from acefit.evaluation.predict import predict, project_compiled
from acefit.fit.loss import Loss, LossSettings
from acefit.potential.bbasis import read_potential, write_potential
from acefit.potential.model import Bond, Potential
from acefit.potential.parameters import parameter_layout
from loss_cases import CASES, Case
from peer import argument_parser, run_pacemaker, run_python, write_frames

EVALUATE = """
import os
import sys
import numpy as np
from ase.io import read
from pyace import PyACECalculator
for folder in sys.argv[1:]:
    calculator, results = PyACECalculator(os.path.join(folder, "start.yaml")), {}
    for k, atoms in enumerate(read(os.path.join(folder, "data.xyz"), ":")):
        atoms.calc = calculator
        results[f"forces_{k}"] = atoms.get_forces()
        results[f"energies_{k}"] = calculator.results["energies"]
        if atoms.pbc.all():
            results[f"stress_{k}"] = atoms.get_stress()
    np.savez(os.path.join(folder, "evaluated.npz"), **results)
"""
INTRODUCTION = """`python benchmarks/compare_loss.py --peers DIR` invents sixteen structures of 2 to 8 atoms for each case, ten of
them periodic, and a random potential with densities up to 2. pacemaker (python-ace 0.4.0rc1, tensorpotential 0.6.2.1, run as a
black box) reads both, assigns weights and stops before its first iteration; the loss it writes in full precision and its weights
are compared with acefit's. The last two columns are the largest relative difference of a weight and that of the loss. Each
regularisation term that is on makes up 2e-6 to 1e-2 of the loss."""
DEVIATIONS = """pacemaker trains with a model that is not always the one its evaluator and LAMMPS use. acefit trains the model
that is evaluated. In these cases the losses differ; `explained` is the difference that remains when acefit's loss is computed
once more with what the trainer does instead. Elements with two and with three densities in one potential are an error in
pacemaker's trainer; its evaluator and acefit accept them and agree."""
EVALUATOR = """### Evaluator

Atomic energies, forces and stresses of the same structures and potentials from pacemaker's C++ evaluator (product form, with
tables) and from acefit in both of its modes. Each number is the largest difference in a structure, divided by 1 plus the largest
absolute value there (eV, eV/Å, eV/Å³). With tables, rounding remains; analytic functions differ from the evaluator by the error
of its interpolation, most where a neighbour is in a narrow window."""
LOSS_HEAD = """| case | what | elements | functions | parameters | structures | loss | weights | loss |
|---|---|---|---|---|---|---|---|---|"""
DEVIATION_HEAD = """| case | what | what the trainer does | difference | explained |
|---|---|---|---|---|"""
EVALUATOR_HEAD = """| case | E, tables | F, tables | stress, tables | E, analytic | F, analytic | stress, analytic |
|---|---|---|---|---|---|---|"""


class Data(NamedTuple):
    """Training structures with neighbours and weights."""

    structures: StructureSet
    neighbors: NeighborList
    weights: Weights


def without_window(potential: Potential, data: Data, settings: LossSettings) -> float:
    """Loss of the trainer where neighbours are in the outer window: the trainer has none."""
    return loss_with_bonds(potential, data, settings, lambda bond: replace(bond, dcut=1e-9))


def without_core(potential: Potential, data: Data, settings: LossSettings) -> float:
    """Loss of the trainer with a core repulsion but no inner cutoff: the core's switch is zero everywhere."""
    return loss_with_bonds(potential, data, settings, lambda bond: replace(bond, core_repulsion=(0.0, 0.0)))


def with_inner_window(potential: Potential, data: Data, settings: LossSettings) -> float:
    """Loss of the trainer in mode `density` without core: it switches radial functions as in mode `distance`, width + 1e-8."""
    return loss_with_bonds(
        potential, data, settings, lambda bond: replace(bond, inner_cutoff_type="distance", dcut_in=bond.dcut_in + 1e-8)
    )


def loss_with_bonds(potential: Potential, data: Data, settings: LossSettings, change: Callable[[Bond], Bond]) -> float:
    """Loss of a potential with changed bonds."""
    changed = replace(potential, bonds={pair: change(bond) for pair, bond in potential.bonds.items()})
    return evaluate_loss(changed, data, settings)


def with_smooth_power(potential: Potential, data: Data, settings: LossSettings) -> float:
    """Loss of the trainer with FinnisSinclair, m != 1, energies only: its power is linear up to densities of about one."""
    compiled, structures = compile_potential(potential, False), data.structures
    rho = project_compiled(compiled, compiled.layout.vector(), structures, data.neighbors).rho
    energies = np.zeros(structures.n_structures)
    for atom, s in enumerate(structures.structure_of_atom):
        parameters = potential.embeddings[chemical_symbols[structures.numbers[atom]]].parameters
        pairs = zip(parameters[::2], parameters[1::2], strict=True)
        energies[s] += sum(w * smooth_power(rho[atom, p], m) for p, (w, m) in enumerate(pairs))
    residuals = (energies - structures.energies) / structures.atoms_per_structure
    coefficients = np.concatenate([function.coeffs for function in potential.functions()])
    return float(data.weights.energy @ residuals**2 + settings.l2 * coefficients @ coefficients)


def smooth_power(rho: float, m: float) -> float:
    """The trainer's FinnisSinclair function of one density."""
    a = abs(rho)
    g = float(np.exp(-10.0 * rho**2)) if 10.0 * rho**2 <= 30.0 else 0.0
    return m * rho if a < 1e-10 else float(np.sign(rho) * (((1.0 - g) * a + 1e-20) ** m + m * g * a))


TRAINERS: dict[str, Callable[[Potential, Data, LossSettings], float]] = {
    "window": without_window,
    "narrow-window": without_window,
    "power": with_smooth_power,
    "core": without_core,
    "inner-window": with_inner_window,
}


def invent_structures(elements: list[str], generator: np.random.Generator) -> list[Atoms]:
    """Sixteen structures of 2 to 8 atoms, five out of eight periodic, with energies and forces; each atom has neighbours."""
    sites = np.array([(a, b, c) for a in range(2) for b in range(2) for c in range(2)])
    bulk_energies = {"Al": -3.1, "Cu": -4.9, "Ni": -4.0, "Zn": -3.6}
    structures = []
    for k in range(16):
        n_atoms = int(generator.integers(2, 9))
        symbols = [elements[k]] * n_atoms if k < len(elements) else generator.choice(elements, n_atoms).tolist()
        spacing = 2.4 + 0.4 * generator.random()
        positions = spacing * sites[:n_atoms] + 0.25 * generator.random((n_atoms, 3))
        cell = spacing * np.diag(1.1 + sites[:n_atoms].max(axis=0)) + 0.1 * generator.random((3, 3)) if k % 8 < 5 else None
        atoms = Atoms(symbols, positions, cell=cell, pbc=cell is not None)
        energy = sum(bulk_energies[symbol] for symbol in symbols) + n_atoms * generator.gamma(1.5, 0.5)
        atoms.info |= {"dft_energy": float(energy), "name": f"structure-{k}"}
        atoms.arrays["dft_forces"] = generator.normal(size=(n_atoms, 3))
        structures.append(atoms)
    return structures


def random_potential(settings: dict[str, Any], frames: list[Atoms], generator: np.random.Generator) -> Potential:
    """Potential of a section with random coefficients that make densities of at most 2 on the structures."""
    layout = parameter_layout(build_target(settings, 42))
    x = layout.vector()
    x[: layout.n_radial] += 0.1 * generator.normal(size=layout.n_radial)
    for slot, function in zip(layout.slots, layout.functions(), strict=True):
        x[slot.offset : slot.offset + slot.n_coeffs] = generator.normal(size=slot.n_coeffs) / 4.0 ** (function.order - 1)
    structures, compiled = StructureSet.from_ase(frames), compile_potential(layout.apply(x), False)
    rho = project_compiled(compiled, x, structures, build(structures, compiled.potential.cutoff)).rho
    x[layout.n_radial :] *= 2.0 / np.abs(rho).max()
    return layout.apply(x)


def read_data(path: Path, potential: Potential, policy: dict[str, Any] | None) -> Data:
    """Training set as the stages dataset, weights and neighborlists make it."""
    dataset = read_files([{"path": str(path)}]).dataset
    weighting = assign_weights(dataset, ("train",) * dataset.structures.n_structures, policy)
    chosen = np.flatnonzero(np.array(weighting.subsets) == "train")
    structures = dataset.structures.select(chosen)
    return Data(structures, build(structures, potential.cutoff), weighting.weights.select(chosen, dataset.structures))


def loss_settings(case: Case, structures: StructureSet) -> LossSettings:
    """Settings of a case under our names."""
    names = {"L1_coeffs": "l1", "L2_coeffs": "l2", "w0_rad": "w0", "w1_rad": "w1", "w2_rad": "w2"}
    values = {names.get(key, key): value for key, value in case.loss.items()}
    if values["kappa"] == "auto":
        values["kappa"] = automatic_kappa(structures)
    return LossSettings(**values)


def evaluate_loss(potential: Potential, data: Data, settings: LossSettings) -> float:
    """Value of the loss at the coefficients of the potential."""
    loss = Loss(potential, data.structures, data.neighbors, data.weights, settings)
    return loss(parameter_layout(potential).vector(), with_gradient=False).value


def compare_weights(data: Data, path: Path) -> float:
    """Largest relative difference of weights; the structures must be the same."""
    frame, structures = read_pickled_frame(path), data.structures
    rows = {name: frame.iloc[k] for k, name in enumerate(frame["name"])}
    if set(rows) != set(structures.names):
        raise RuntimeError(f"the training sets differ: {sorted(set(rows) ^ set(structures.names))}")
    largest = 0.0
    for s, name in enumerate(structures.names):
        force = data.weights.force[structures.offsets[s] : structures.offsets[s + 1]]
        for ours, theirs in ((data.weights.energy[s], rows[name]["w_energy"]), (force, np.asarray(rows[name]["w_forces"]))):
            largest = max(largest, float(np.max(np.abs(ours - theirs) / np.abs(theirs))))
    return largest


def compare_evaluator(potential: Potential, folder: Path, tables: bool) -> list[float]:
    """Largest differences of atomic energies, forces and stresses from the evaluator, each relative to 1 + the largest value."""
    structures = StructureSet.from_ase(ase.io.read(folder / "data.xyz", ":"))
    ours = predict(potential, structures, build(structures, potential.cutoff), tables=tables)
    theirs = np.load(folder / "evaluated.npz")
    largest = [0.0, 0.0, 0.0]
    for s in range(structures.n_structures):
        atoms = slice(structures.offsets[s], structures.offsets[s + 1])
        values = {"energies": ours.atomic_energies[atoms], "forces": ours.forces[atoms], "stress": ours.stresses[s]}
        for q, (key, value) in enumerate(values.items()):
            if f"{key}_{s}" in theirs:
                known = theirs[f"{key}_{s}"]
                largest[q] = max(largest[q], float(np.abs(value - known).max() / (1.0 + np.abs(known).max())))
    return largest


def prepare(case: Case, folder: Path) -> list[Atoms]:
    """Write the random potential of a case as `start.yaml`; returns its structures."""
    folder.mkdir()
    generator = np.random.default_rng(CASES.index(case))
    frames = invent_structures(sorted(case.potential["elements"]), generator)
    write_potential(random_potential(case.potential, frames, generator), folder / "start.yaml")
    return frames


def compare_loss(case: Case, folder: Path, peers: Path) -> str:
    """Compute the loss with both programs; row of the table of losses or, with a different trainer, of deviations."""
    potential = read_potential(folder / "start.yaml")
    weighting = {"weighting": case.weighting} if case.weighting else {}
    settings = {
        "cutoff": potential.cutoff,
        "seed": 42,
        "potential": "start.yaml",
        "data": {"filename": str(folder / "data.pckl.gzip")},
        "fit": {"loss": case.loss, "optimizer": "BFGS", "maxiter": 0, **weighting},
        "backend": {"evaluator": "tensorpot", "batch_size": 10, "display_step": 50},
    }
    run_pacemaker(settings, folder, peers)
    theirs = float(read_potential(folder / "output_potential.yaml").metadata["_loss"])
    data = read_data(folder / "data.pckl.gzip", potential, case.weighting)
    chosen = loss_settings(case, data.structures)
    weights = compare_weights(data, folder / "fitting_data_info.pckl.gzip")
    difference = abs(evaluate_loss(potential, data, chosen) - theirs) / theirs
    if case.reason:
        explained = abs(TRAINERS[case.name](potential, data, chosen) - theirs) / theirs
        return f"| {case.name} | {case.what} | {case.reason} | {difference:.1e} | {explained:.1e} |"
    layout = parameter_layout(potential)
    sizes = f"{len(potential.elements)} | {layout.n_functions} | {layout.n_parameters} | {data.structures.n_structures}"
    return f"| {case.name} | {case.what} | {sizes} | {theirs:.6g} | {weights:.1e} | {difference:.1e} |"


def compare_predictions(case: Case, folder: Path) -> str:
    """Row of the table of predictions."""
    potential = read_potential(folder / "start.yaml")
    numbers = [*compare_evaluator(potential, folder, True), *compare_evaluator(potential, folder, False)]
    return f"| {case.name} | {' | '.join(f'{value:.1e}' for value in numbers)} |"


def write_section(path: Path, title: str, text: str) -> None:
    """Replace the part of a Markdown file under a heading of second level, or append it."""
    content = path.read_text()
    heading = f"## {title}\n"
    before, found, after = content.partition(heading)
    _, next_heading, rest = after.partition("\n## ")
    remainder = f"\n## {rest}" if found and next_heading else ""
    path.write_text(f"{before.rstrip()}\n\n{heading}\n{text.strip()}\n{remainder}")


def main() -> None:
    """Run the cases, print the tables and, if asked to, write them into a file."""
    parser = argument_parser(__doc__)
    parser.add_argument("--only", nargs="*", help="names of the cases to run")
    parser.add_argument("--docs", type=Path, help="Markdown file whose section `Loss` is replaced")
    arguments = parser.parse_args()
    cases = [case for case in CASES if not arguments.only or case.name in arguments.only]
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / case.name for case in cases]
        structures = [prepare(case, folder) for case, folder in zip(cases, folders, strict=True)]
        write_frames({f / "data.pckl.gzip": s for f, s in zip(folders, structures, strict=True)}, arguments.peers)
        run_python(EVALUATE, arguments.peers, *folders)
        predictions = [EVALUATOR_HEAD]
        for case, folder in zip(cases, folders, strict=True):
            predictions.append(compare_predictions(case, folder))
            print(predictions[-1], flush=True)
        tables = {False: [LOSS_HEAD], True: [DEVIATION_HEAD]}
        for case, folder in zip(cases, folders, strict=True):
            tables[bool(case.reason)].append(compare_loss(case, folder, arguments.peers))
            print(tables[bool(case.reason)][-1], flush=True)
    blocks = [(INTRODUCTION, tables[False]), (DEVIATIONS, tables[True]), (EVALUATOR, predictions)]
    text = "\n\n".join("\n".join([introduction, "", *table]) for introduction, table in blocks)
    if arguments.docs:
        write_section(arguments.docs, "Loss", text)


if __name__ == "__main__":
    main()
