"""The stages of one run one after the other, in this process and without Snakemake; its files are where the pipeline has them.

Every function calls one step of `acefit.steps` as the script of its rule does, so that results are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from acefit.analysis.figure_set import RunData
from acefit.analysis.run_data import read_run
from acefit.config import stages
from acefit.config.model import Config
from acefit.files import read_yaml
from acefit.pipeline.folders import DATASET, FIT, RUN, SELECT, SPLIT, WEIGHTS, Place
from acefit.workflow import step_digest

Say = Callable[[str], None]


class Run(NamedTuple):
    """A run that is made here: its place and its configuration."""

    place: Place
    config: Config

    @classmethod
    def of(cls, root: Path, name: str, config: Config) -> Run:
        """Run of this name below a folder."""
        return cls(Place.of(root, name, config), config)

    def dataset(self) -> tuple[Path, Path]:
        """Tables of structures and of atoms."""
        return self.place.path(f"{DATASET}/structures.parquet"), self.place.path(f"{DATASET}/atoms.parquet")

    def weights(self) -> tuple[Path, Path]:
        """Tables of weights of structures and of atoms."""
        return self.place.path(f"{WEIGHTS}/structures.parquet"), self.place.path(f"{WEIGHTS}/atoms.parquet")

    def plan(self) -> dict[str, Any]:
        """The ladder, once the basis is made."""
        plan: dict[str, Any] = read_yaml(self.place.path(f"{RUN}/basis/ladder.yaml"))
        return plan


def make_dataset(run: Run, **reading: Any) -> None:
    """Read the data; keywords replace settings of `acefit.data.readers.ReadingOptions`."""
    from acefit.steps.dataset import dataset

    settings = stages.dataset_params(run.config)
    settings["reading"] = {**settings["reading"], **reading}
    structures, atoms = run.dataset()
    dataset(
        **settings,
        code=step_digest("dataset"),
        path_to_structures=structures,
        path_to_atoms=atoms,
        path_to_references=run.place.path(f"{DATASET}/references.yaml"),
    )


def make_weights(run: Run) -> None:
    """Divide into training and test set and weight."""
    from acefit.steps.split import split
    from acefit.steps.weights import weights

    structures, atoms = run.dataset()
    path_to_split = run.place.path(f"{SPLIT}/split.parquet")
    split(
        **stages.split_params(run.config), code=step_digest("split"), path_to_structures=structures, path_to_split=path_to_split
    )
    settings = stages.weights_params(run.config)
    path_to_weights, path_to_atom_weights = run.weights()
    weights(
        **settings,
        path_to_given=(settings["weighting"] or {}).get("filename"),
        code=step_digest("weights"),
        path_to_structures=structures,
        path_to_atoms=atoms,
        path_to_split=path_to_split,
        path_to_weights=path_to_weights,
        path_to_atom_weights=path_to_atom_weights,
        path_to_summary=run.place.path(f"{WEIGHTS}/summary.yaml"),
    )


def make_basis(run: Run) -> None:
    """Build the basis and the plan of the ladder."""
    from acefit.steps.basis import basis

    folder = run.place.path(f"{RUN}/basis")
    basis(
        **stages.basis_params(run.config),
        paths_to_potentials=stages.potential_files(run.config),
        code=step_digest("basis"),
        path_to_target=folder / "target.yaml",
        path_to_functions=folder / "functions.parquet",
        path_to_ladder=folder / "ladder.yaml",
        path_to_steps=folder / "steps",
        path_to_start=folder / "start.yaml",
    )


def make_neighborlists(run: Run) -> None:
    """Find the neighbours."""
    from acefit.steps.neighborlists import neighborlists

    structures, atoms = run.dataset()
    settings, code = stages.neighborlists_params(run.config), step_digest("neighborlists")
    for shard, path in enumerate(run.place.shards()):
        neighborlists(**settings, code=code, path_to_structures=structures, path_to_atoms=atoms, shard=shard, path_to_shard=path)


def fit_cycle(run: Run, step: int, cycle: int) -> None:
    """Fit one cycle of a ladder step, whose earlier ones are there."""
    from acefit.steps.fit import fit

    place, folder, plan = run.place, run.place.path(FIT, step=step, cycle=cycle), run.plan()
    start = place.path(f"{SELECT}/potential.yaml", step=step - 1) if step else place.path(f"{RUN}/basis/start.yaml")
    earlier = range(min(cycle, 1) if stages.restarts(run.config) == "parallel" else cycle)
    weights, dataset = run.weights(), run.dataset()
    fit(
        **stages.fit_params(run.config, cycle),
        step=step,
        cycle=cycle,
        code=step_digest("fit"),
        path_to_step=place.path(f"{RUN}/basis/steps") / plan["steps"][step]["file"],
        path_to_start=start,
        paths_to_previous=[place.path(f"{FIT}/result.yaml", step=step, cycle=number) for number in earlier],
        paths_to_shards=place.shards(),
        path_to_structures=dataset[0],
        path_to_atoms=dataset[1],
        path_to_weights=weights[0],
        path_to_atom_weights=weights[1],
        path_to_summary=place.path(f"{WEIGHTS}/summary.yaml"),
        path_to_potential=folder / "potential.yaml",
        path_to_metrics=folder / "metrics.parquet",
        path_to_result=folder / "result.yaml",
        max_memory=stages.fit_memory(run.config),
        stream=stages.fit_stream(run.config),
    )


def select_cycle(run: Run, step: int) -> None:
    """Choose the best cycle of a ladder step."""
    from acefit.steps.select import select

    folder, cycles = run.place.path(SELECT, step=step), range(run.config.fit.fit_cycles)
    results = [run.place.path(f"{FIT}/result.yaml", step=step, cycle=cycle) for cycle in cycles]
    select(
        **stages.select_params(run.config),
        code=step_digest("select"),
        paths_to_results=results,
        paths_to_potentials=[path.with_name("potential.yaml") for path in results],
        path_to_potential=folder / "potential.yaml",
        path_to_cycles=folder / "cycles.parquet",
        path_to_ensemble=folder / "ensemble",
    )


def finish_potential(run: Run) -> None:
    """Write the final potential."""
    from acefit.steps.potential import potential

    structures, atoms = run.dataset()
    potential(
        **stages.potential_params(run.config),
        code=step_digest("potential"),
        path_to_selected=run.place.path(f"{SELECT}/potential.yaml", step=len(run.plan()["steps"]) - 1),
        path_to_structures=structures,
        path_to_atoms=atoms,
        path_to_references=run.place.path(f"{DATASET}/references.yaml"),
        path_to_weights=run.weights()[0],
        paths_to_shards=run.place.shards(),
        path_to_potential=run.place.path(f"{RUN}/potential.yaml"),
    )


def make_predictions(run: Run) -> None:
    """Predict all structures with the final potential."""
    from acefit.steps.predict import predict

    folder, dataset, weights = run.place.path(f"{RUN}/predict"), run.dataset(), run.weights()
    predict(
        **stages.predict_params(run.config),
        code=step_digest("predict"),
        path_to_potential=run.place.path(f"{RUN}/potential.yaml"),
        path_to_structures=dataset[0],
        path_to_atoms=dataset[1],
        paths_to_shards=run.place.shards(),
        path_to_weights=weights[0],
        path_to_atom_weights=weights[1],
        path_to_predicted_structures=folder / "structures.parquet",
        path_to_predicted_atoms=folder / "atoms.parquet",
        path_to_cost=folder / "cost.yaml",
    )


def run_stages(run: Run, say: Say = lambda text: None) -> None:
    """Make everything up to the predictions.

    Parameters
    ----------
    run : Run
    say : is told what is done, one line before each stage

    Raises
    ------
    AcefitError
        As the steps do.
    """
    for text, make in (
        ("reading the data", make_dataset),
        ("weights", make_weights),
        ("basis", make_basis),
        ("neighbour lists", make_neighborlists),
    ):
        say(text)
        make(run)
    for step in range(len(run.plan()["steps"])):
        for cycle in range(run.config.fit.fit_cycles):
            say(f"ladder step {step}, cycle {cycle}")
            fit_cycle(run, step, cycle)
        select_cycle(run, step)
    finish_potential(run)
    say("predictions")
    make_predictions(run)


def read_finished(run: Run) -> RunData:
    """What figures and tables are made from, of a run that is finished."""
    place = run.place
    steps, cycles = range(len(run.plan()["steps"])), range(run.config.fit.fit_cycles)
    folders = [place.path(FIT, step=step, cycle=cycle) for step in steps for cycle in cycles]
    predicted = place.path(f"{RUN}/predict")
    data, _ = read_run(
        place.run,
        place.path(f"{RUN}/potential.yaml"),
        (predicted / "structures.parquet", predicted / "atoms.parquet"),
        (
            [folder / "metrics.parquet" for folder in folders],
            [folder / "result.yaml" for folder in folders],
            [place.path(f"{SELECT}/cycles.parquet", step=step) for step in steps],
        ),
    )
    return data
