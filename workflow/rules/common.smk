# Checked settings, folders, and the functions by which rules find their inputs.
import os
import re
from functools import cache
from pathlib import Path

from acefit.analysis.catalog import FIGURES, TABLES, figure_file, table_file
from acefit.config import stages
from acefit.config.runs import COMPARISON, load_runs
from acefit.errors import AcefitError
from acefit.files import read_yaml
from acefit.workflow import step_digest
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

CONFIG_FILES = workflow.overwrite_configfiles or workflow.configfiles

# Patterns of the folders; a run is `<name>`, or `<name>/<run>` where the configuration has several
RUN = "results/{run}"
FIT = f"{RUN}/fit/step-{{step}}/cycle-{{cycle}}"
DATASET = "results/shared/dataset-{dataset}"
NEIGHBORLISTS = f"{DATASET}/neighborlists-{{cutoff}}"
SPLIT = f"{DATASET}/split-{{split}}"
WEIGHTS = f"{DATASET}/weights-{{weights}}"


def shared(settings):
    """Wildcards of the shared stages of a run."""
    neighbors = stages.neighborlists_params(settings)
    return {
        "dataset": stages.dataset_digest(settings),
        "split": stages.split_digest(settings),
        "weights": stages.weights_digest(settings),
        "cutoff": neighbors["cutoff"],
        "shards": f"{neighbors['n_shards']:03d}",
    }


try:
    TABLE = load_runs(config, CONFIG_FILES)
    CONFIGS = TABLE.configs
    SHARED = {run: shared(settings) for run, settings in CONFIGS.items()}
except AcefitError as error:
    raise WorkflowError(str(error)) from None

# Settings of shared stages: runs with the same digest have the same ones
BY_DIGEST = {SHARED[run][stage]: CONFIGS[run] for run in CONFIGS for stage in ("dataset", "split", "weights")}
COMPARE = f"results/{TABLE.name}/{COMPARISON}"

if workflow.is_main_process:
    for notice in dict.fromkeys(text for settings in CONFIGS.values() for text in settings.notices):
        logger.info(notice)

# The environment of conda installs this package from here (workflow/envs/acefit.post-deploy.sh)
os.environ.setdefault("ACEFIT_SOURCE", str(REPOSITORY))


wildcard_constraints:
    run="|".join(map(re.escape, CONFIGS)),
    dataset=r"[0-9a-f]{10}",
    split=r"[0-9a-f]{10}",
    weights=r"[0-9a-f]{10}",
    cutoff=r"[0-9.e+-]+",
    step=r"\d\d+",
    cycle=r"\d\d+",
    shard=r"\d\d\d",
    shards=r"\d\d\d",


def of_run(pattern):
    """Function that finds a shared file of a run."""
    return lambda wildcards: pattern.format(**SHARED[wildcards.run])


def settings_of_run(params):
    """Function that gives what a stage takes from the configuration of a run."""
    return lambda wildcards: params(CONFIGS[wildcards.run])


def shard_files(run, pattern=f"{NEIGHBORLISTS}/shard-{{shard}}-of-{{shards}}.parquet"):
    """Neighbour lists of a run, or other files of the jobs that make them."""
    return [pattern.format(shard=f"{k:03d}", **SHARED[run]) for k in range(int(SHARED[run]["shards"]))]


def split_of_weights(wildcards):
    """The split that belongs to weights."""
    return f"{SPLIT}/split.parquet".format(split=stages.split_digest(BY_DIGEST[wildcards.weights]), **wildcards)


def given_weights(wildcards):
    """The file of given weights, if there is one."""
    return (stages.weights_params(BY_DIGEST[wildcards.weights])["weighting"] or {}).get("filename", [])


def is_parallel(run):
    """Whether the cycles of a step run side by side."""
    return stages.restarts(CONFIGS[run]) == "parallel"


@cache
def _read_plan(path, modified):
    return read_yaml(path)


def plan(run):
    """The ladder of a run, known once its checkpoint has run."""
    path = checkpoints.basis.get(run=run).output.ladder
    return _read_plan(path, os.stat(path).st_mtime_ns)


def step_file(wildcards):
    """Functions of a ladder step."""
    return f"results/{wildcards.run}/basis/steps/{plan(wildcards.run)['steps'][int(wildcards.step)]['file']}"


def start_potential(wildcards):
    """What a ladder step starts from: the best of the step before."""
    step, folder = int(wildcards.step), f"results/{wildcards.run}"
    return f"{folder}/select/step-{step - 1:02d}/potential.yaml" if step else ancient(f"{folder}/basis/start.yaml")


def basis_content(wildcards):
    """Digests of the basis files a fit reads, in place of their dates."""
    step, ladder = int(wildcards.step), plan(wildcards.run)
    return {"step": ladder["steps"][step]["sha256"], "start": None if step else ladder["start"]["sha256"]}


def earlier_cycles(wildcards):
    """Results a cycle may start from: of all earlier cycles of its step, or of the first one alone."""
    cycle = int(wildcards.cycle)
    return cycle_files(wildcards, "result.yaml", min(cycle, 1) if is_parallel(wildcards.run) else cycle)


def cycle_files(wildcards, name, n_cycles=None):
    """One file of each cycle of a step."""
    number = CONFIGS[wildcards.run].fit.fit_cycles if n_cycles is None else n_cycles
    return [f"results/{wildcards.run}/fit/step-{wildcards.step}/cycle-{c:02d}/{name}" for c in range(number)]


def of_steps(pattern):
    """Function that finds the files of all ladder steps of a run, and of all cycles where the pattern names one."""

    def find(wildcards):
        steps = [f"{number:02d}" for number in range(len(plan(wildcards.run)["steps"]))]
        cycles = [f"{number:02d}" for number in range(CONFIGS[wildcards.run].fit.fit_cycles)]
        return expand(pattern, run=wildcards.run, step=steps, cycle=cycles)

    return find


def last_selected(wildcards):
    """The best potential of the last ladder step."""
    return of_steps(f"{RUN}/select/step-{{step}}/potential.yaml")(wildcards)[-1]


def measured_jobs(wildcards):
    """Benchmark files of all jobs before the report; they carry times, not results, and so are no inputs."""
    run, own = wildcards.run, f"{RUN}/benchmarks"
    before = [f"{DATASET}/benchmarks/dataset.tsv", f"{SPLIT}/benchmarks/split.tsv", f"{WEIGHTS}/benchmarks/weights.tsv"]
    return [
        *(of_run(pattern)(wildcards) for pattern in before),
        *shard_files(run, f"{NEIGHBORLISTS}/benchmarks/shard-{{shard}}-of-{{shards}}.tsv"),
        *expand(f"{own}/{{stage}}.tsv", run=run, stage=("basis", "potential", "predict")),
        *of_steps(f"{own}/fit/step-{{step}}-cycle-{{cycle}}.tsv")(wildcards),
        *of_steps(f"{own}/select/step-{{step}}.tsv")(wildcards),
    ]


def report_files(entries, file_name, folder):
    """Outputs of the report with the category and caption of each."""

    def marked(name, entry):
        path = f"{folder}/{file_name(name)}"
        caption = f"../report/{entry.category.lower()}.rst"
        return report(path, caption=caption, category=entry.category, labels={"run": "{run}", "shown": name})

    return [marked(name, entry) for name, entry in entries.items()]
