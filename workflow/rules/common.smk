# Checked settings, folders, and the functions by which rules find their inputs.
import os
from functools import cache
from pathlib import Path

from acefit.analysis.catalog import FIGURES, TABLES, figure_file, table_file
from acefit.config import loading, stages
from acefit.errors import AcefitError
from acefit.files import read_yaml
from acefit.workflow import correct_dates, damaged_files, reject, step_digest
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

CONFIG_FILES = workflow.overwrite_configfiles or workflow.configfiles

try:
    CONFIG = loading.validate_config(config, CONFIG_FILES)
    RUN = f"results/{stages.run_name(CONFIG, CONFIG_FILES[-1])}"
    DATASET = f"results/shared/dataset-{stages.dataset_digest(CONFIG)}"
    NEIGHBORS = stages.neighborlists_params(CONFIG)
    DATA_FILES = [entry["path"] for entry in stages.data_files(CONFIG)]
    REFERENCE_FILES = stages.reference_files(CONFIG)
    POTENTIAL_FILES = stages.potential_files(CONFIG)
    WEIGHT_FILE = (stages.weights_params(CONFIG)["weighting"] or {}).get("filename", [])
except AcefitError as error:
    raise WorkflowError(str(error)) from None

if workflow.is_main_process:
    for notice in CONFIG.notices:
        logger.info(notice)

    for folder in (RUN, DATASET):
        if number := correct_dates(Path(folder)):
            logger.warning(f"{number} files of {folder} had a date of the future and are dated now (was the clock set?)")

    # Before Snakemake looks which files there are; in a dry run, too, which would else say that nothing is to be done
    for damage in damaged_files(Path(RUN)):
        logger.warning(reject(damage, "it is made anew"))

NEIGHBORLISTS = f"{DATASET}/neighborlists-{NEIGHBORS['cutoff']}"
SHARDS = [f"{NEIGHBORLISTS}/shard-{k:03d}-of-{NEIGHBORS['n_shards']:03d}.parquet" for k in range(NEIGHBORS["n_shards"])]
FIT = f"{RUN}/fit/step-{{step}}/cycle-{{cycle}}"
CYCLES = CONFIG.fit.fit_cycles
PARALLEL = stages.restarts(CONFIG) == "parallel"

# The environment of conda installs this package from here (workflow/envs/acefit.post-deploy.sh)
os.environ.setdefault("ACEFIT_SOURCE", str(REPOSITORY))


wildcard_constraints:
    step=r"\d\d+",
    cycle=r"\d\d+",
    shard=r"\d\d\d",


@cache
def _read_plan(path, modified):
    return read_yaml(path)


def plan():
    """The ladder, known once the checkpoint has run."""
    path = checkpoints.basis.get().output.ladder
    return _read_plan(path, os.stat(path).st_mtime_ns)


def step_file(wildcards):
    """Functions of a ladder step."""
    return f"{RUN}/basis/steps/{plan()['steps'][int(wildcards.step)]['file']}"


def start_potential(wildcards):
    """What a ladder step starts from: the best of the step before."""
    step = int(wildcards.step)
    return f"{RUN}/select/step-{step - 1:02d}/potential.yaml" if step else ancient(f"{RUN}/basis/start.yaml")


def basis_content(wildcards):
    """Digests of the basis files a fit reads, in place of their dates."""
    step = int(wildcards.step)
    return {"step": plan()["steps"][step]["sha256"], "start": None if step else plan()["start"]["sha256"]}


def earlier_cycles(wildcards):
    """Results a cycle may start from: of all earlier cycles of its step, or of the first one alone."""
    cycle = int(wildcards.cycle)
    return cycle_files(wildcards, "result.yaml", min(cycle, 1) if PARALLEL else cycle)


def cycle_files(wildcards, name, n_cycles=CYCLES):
    """One file of each cycle of a step."""
    return [f"{RUN}/fit/step-{wildcards.step}/cycle-{c:02d}/{name}" for c in range(n_cycles)]


def step_names():
    """Ladder steps as they are called in file names."""
    return [f"step-{number:02d}" for number in range(len(plan()["steps"]))]


def all_fits(name):
    """One file of each cycle of each step."""
    return [f"{RUN}/fit/{step}/cycle-{c:02d}/{name}" for step in step_names() for c in range(CYCLES)]


def measured_jobs():
    """Benchmark files of all jobs before the report; they carry times, not results, and so are no inputs."""
    shards = [Path(shard).stem for shard in SHARDS]
    return [
        f"{DATASET}/benchmarks/dataset.tsv",
        *(f"{NEIGHBORLISTS}/benchmarks/{shard}.tsv" for shard in shards),
        *(f"{RUN}/benchmarks/{stage}.tsv" for stage in ("split", "weights", "basis")),
        *(f"{RUN}/benchmarks/fit/{step}-cycle-{c:02d}.tsv" for step in step_names() for c in range(CYCLES)),
        *(f"{RUN}/benchmarks/select/{step}.tsv" for step in step_names()),
        *(f"{RUN}/benchmarks/{stage}.tsv" for stage in ("potential", "predict")),
    ]


def last_selected(wildcards):
    """The best potential of the last ladder step."""
    return f"{RUN}/select/{step_names()[-1]}/potential.yaml"


def report_files(entries, file_name, folder):
    """Outputs of the report with the category and caption of each."""

    def marked(name, entry):
        path = f"{folder}/{file_name(name)}"
        caption = f"../report/{entry.category.lower()}.rst"
        return report(path, caption=caption, category=entry.category, labels={"shown": name})

    return [marked(name, entry) for name, entry in entries.items()]
