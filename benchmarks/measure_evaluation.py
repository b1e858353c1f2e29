"""Energies, forces and virials: kernels alone, the calculator as molecular dynamics uses it, and neighbour lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numba
import numpy as np
from ase import Atoms

from acefit.basis.compiled import Compiled, compile_potential
from acefit.calculator import ACECalculator
from acefit.data.neighborlists import NeighborList, build
from acefit.data.structures import StructureSet
from acefit.evaluation import predict
from acefit.evaluation.predict import Prediction, predict_compiled
from measuring import Options, Row, seconds, summary
from operations import evaluation_operations
from shapes import SHAPES, Shape, copper, load_shape


@contextmanager
def without_grouping(
    compiled: Compiled, structures: StructureSet, neighbors: NeighborList
) -> Iterator[Callable[[int], Prediction]]:
    """Yield an evaluation, called with the number of threads, that finds atoms and pairs grouped and checked already.

    Raises
    ------
    RuntimeError
        If the evaluation grouped them nevertheless, so that its time would not be what it is called.
    """
    x = compiled.layout.vector()
    with patch.object(predict, "build_layout", wraps=predict.build_layout) as original:
        predict_compiled(compiled, x, structures, neighbors, 1)
    if original.call_count != 1:
        raise RuntimeError("predict_compiled no longer calls build_layout once: adapt without_grouping")
    (arguments, keywords) = original.call_args
    ready = predict.build_layout(*arguments, **keywords)
    with patch.object(predict, "build_layout", return_value=ready), patch.object(predict, "check_distances"):
        yield lambda threads: predict_compiled(compiled, x, structures, neighbors, threads)


def sizes(shape: Shape, neighbors: NeighborList) -> dict[str, Any]:
    """Fields of a row that say how large the case is."""
    return {
        "atoms": neighbors.n_atoms,
        "neighbours": neighbors.n_pairs / neighbors.n_atoms,
        "functions": shape.potential.n_functions,
        "synthetic": shape.synthetic,
    }


def measure_kernels(shape: Shape, options: Options, peaks: dict[str, float]) -> Iterator[Row]:
    """Evaluation without neighbour list and grouping, and its share of the peak of the machine."""
    compiled = compile_potential(shape.potential)
    structures = StructureSet.from_ase([shape.atoms])
    neighbors = build(structures, shape.potential.cutoff)
    common, per_atom = sizes(shape, neighbors), 1e6 / structures.n_atoms
    work = evaluation_operations(compiled, structures, neighbors)
    yield Row("evaluation", shape.name, "operations", "flop/atom", 0, *[work.flops / structures.n_atoms] * 2, 1, **common)
    traffic = work.scratch / structures.n_atoms / 1e3
    yield Row("evaluation", shape.name, "scratch of pairs", "kB/atom", 0, traffic, traffic, 1, **common)
    with without_grouping(compiled, structures, neighbors) as evaluate:
        for threads in options.threads:
            times = seconds(lambda threads=threads: evaluate(threads), options.repeats)
            yield Row("evaluation", shape.name, "energies and forces", "µs/atom", threads, **summary(times, per_atom), **common)
            rates = [work.flops / time / 1e9 for time in times]
            best = {"median": float(np.median(rates)), "minimum": min(rates), "runs": len(rates)}
            yield Row("evaluation", shape.name, "rate", "Gflop/s", threads, **best, **common)
            reachable = work.reachable(peaks, threads)
            if reachable:
                best = {"median": best["median"] / reachable, "minimum": best["minimum"] / reachable, "runs": len(rates)}
                yield Row("evaluation", shape.name, "share of the roofline", "", threads, **best, **common)


def moving(atoms: Atoms, seed: int = 3) -> Callable[[], None]:
    """Function that displaces all atoms a little, as a step of molecular dynamics does."""
    rng = np.random.default_rng(seed)
    return lambda: atoms.set_positions(atoms.positions + rng.normal(0.0, 0.002, (len(atoms), 3)))


def measure_calculator(shape: Shape, options: Options) -> Iterator[Row]:
    """Energy and forces through the calculator with moving atoms, and the neighbour list by itself."""
    neighbors = build(StructureSet.from_ase([shape.atoms]), shape.potential.cutoff)
    common, per_atom = sizes(shape, neighbors), 1e6 / len(shape.atoms)
    for threads in options.threads:
        atoms = shape.atoms.copy()
        atoms.calc = ACECalculator(shape.potential, threads=threads)
        move = moving(atoms)

        def step(atoms: Atoms = atoms, move: Callable[[], None] = move) -> None:
            move()
            atoms.get_forces()

        times = seconds(step, options.repeats)
        yield Row("calculator", shape.name, "energy and forces, moving", "µs/atom", threads, **summary(times, per_atom), **common)
    times = seconds(lambda: build(StructureSet.from_ase([shape.atoms]), shape.potential.cutoff), options.repeats)
    yield Row("calculator", shape.name, "neighbour list alone", "µs/atom", 0, **summary(times, per_atom), **common)


def measure_lists(options: Options) -> Iterator[Row]:
    """Neighbour lists of copper with 134 neighbours, for a small and a large cell."""
    for name, atoms in (
        ("Cu, small", copper(True)),
        ("Cu", copper(options.quick)),
        ("Cu, large", copper(options.quick) * (2, 2, 2)),
    ):
        structures = StructureSet.from_ase([atoms])
        neighbors = build(structures, 7.0)
        times = seconds(lambda structures=structures: build(structures, 7.0), options.repeats)
        common = {"atoms": len(atoms), "neighbours": neighbors.n_pairs / len(atoms)}
        yield Row("lists", name, "neighbour list", "µs/atom", 0, **summary(times, 1e6 / len(atoms)), **common)


def measure(sections: set[str], options: Options, peaks: dict[str, float], names: tuple[str, ...] = SHAPES) -> Iterator[Row]:
    """All rows of the sections `evaluation` and `calculator` that are asked for."""
    numba.set_num_threads(min(max(options.threads), numba.config.NUMBA_NUM_THREADS))
    for name in names:
        shape = load_shape(name, options.shared, options.quick)
        if "evaluation" in sections:
            yield from measure_kernels(shape, options, peaks)
        if "calculator" in sections:
            yield from measure_calculator(shape, options)


def shape_names(options: Options) -> tuple[str, ...]:
    """Shapes to measure: all, or the smallest one in a quick run without published potentials."""
    return SHAPES[:1] if options.quick and options.shared is None else SHAPES
