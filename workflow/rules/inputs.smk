# The functions by which rules find their inputs and settings.
from functools import cache

from acefit.analysis.catalog import FIGURES, TABLES, figure_file, table_file
from acefit.files import read_yaml


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
    """What a ladder step starts from: the best of the step before. A single cycle is the best without waiting for the choice."""
    step, folder = int(wildcards.step), f"results/{wildcards.run}"
    if not step:
        return ancient(f"{folder}/basis/start.yaml")
    is_single = CONFIGS[wildcards.run].fit.fit_cycles == 1
    return f"{folder}/{'fit' if is_single else 'select'}/step-{step - 1:02d}/{'cycle-00/' if is_single else ''}potential.yaml"


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


def of_walks(pattern):
    """Function that finds a file of all walks of a round."""

    def find(wildcards):
        walks = [f"{number:02d}" for number in range(len(stages.walks(CONFIGS[wildcards.run])))]
        return expand(pattern, run=wildcards.run, walk=walks)

    return find


def of_calculations(pattern):
    """Function that finds a file of all jobs that calculate labels of a round."""

    def find(wildcards):
        number = stages.label_jobs(CONFIGS[wildcards.run])
        return expand(pattern, run=wildcards.run, job=[f"{k:02d}" for k in range(number)], jobs=f"{number:02d}")

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
