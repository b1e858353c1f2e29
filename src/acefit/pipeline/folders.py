"""Where the files of a run are, for the workflow and for whatever looks at its results; light, since rules import it.

Patterns are relative to the folder of the pipeline. A run is `<name>`, or `<name>/<run>` where a configuration has several.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from acefit.config import stages
from acefit.config.model import Config

RUN = "results/{run}"
FIT = f"{RUN}/fit/step-{{step}}/cycle-{{cycle}}"
SELECT = f"{RUN}/select/step-{{step}}"
CALCULATED = f"{RUN}/calculate/job-{{job}}-of-{{jobs}}"
DATASET = "results/shared/dataset-{dataset}"
NEIGHBORLISTS = f"{DATASET}/neighborlists-{{cutoff}}"
SHARD = f"{NEIGHBORLISTS}/shard-{{shard}}-of-{{shards}}.parquet"
SPLIT = f"{DATASET}/split-{{split}}"
WEIGHTS = f"{DATASET}/weights-{{weights}}"


def shared(config: Config) -> dict[str, str]:
    """Wildcards of the shared stages of a run."""
    neighbors = stages.neighborlists_params(config)
    return {
        "dataset": stages.dataset_digest(config),
        "split": stages.split_digest(config),
        "weights": stages.weights_digest(config),
        "cutoff": neighbors["cutoff"],
        "shards": f"{neighbors['n_shards']:03d}",
    }


class Place(NamedTuple):
    """The files of one run.

    Attributes
    ----------
    root : folder in which the pipeline runs
    run : name of the run
    names : wildcards of its shared stages, see `shared`
    """

    root: Path
    run: str
    names: dict[str, str]

    @classmethod
    def of(cls, root: Path, run: str, config: Config) -> Place:
        """Place of a run with this configuration."""
        return cls(root, run, shared(config))

    def path(self, pattern: str, **wildcards: int) -> Path:
        """File of a pattern; numbers of steps, cycles and jobs get two digits, those of shards three."""
        texts = {name: f"{number:03d}" if name == "shard" else f"{number:02d}" for name, number in wildcards.items()}
        return self.root / pattern.format(run=self.run, **self.names, **texts)

    def shards(self) -> list[Path]:
        """All parts of the neighbour lists."""
        return [self.path(SHARD, shard=number) for number in range(int(self.names["shards"]))]
