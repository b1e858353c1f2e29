# Cores and memory that jobs ask for.
import re

from acefit.fit.memory import optimizer_bytes

# Cores of this machine that may be used; on a cluster, where none are named, what one job asks for (profiles set it per rule)
CORES = workflow.resource_settings.cores or 16


def reserve(constant):
    """Function that gives the MB of a job whose memory hardly grows with its input, and as much again at each attempt."""
    return lambda wildcards, attempt: attempt * constant


def reading_memory(wildcards, input, attempt):
    """MB to read the data: pickled frames are in memory as a whole, of other files some structures at a time."""
    pickled = [path for path in input.files if re.search(r"\.(pckl|pkl|pickle)\b", path)]
    return attempt * int(1000 + 40 * sum(map(os.path.getsize, pickled)) / 1e6)


def reserved_memory(wildcards, input, attempt):
    """MB of a fit: what the user allows it, else program and compiler, its data, and the optimiser's arrays."""
    settings, ladder = CONFIGS[wildcards.run], plan(wildcards.run)
    n_parameters = ladder["steps"][int(wildcards.step)]["n_parameters"]
    estimate = 800 + 5 * input.size_mb + optimizer_bytes(settings.fit.optimizer, n_parameters, settings.fit.maxiter) / 1e6
    return int(stages.fit_memory(settings) or attempt * estimate)


def walk_threads(wildcards):
    """Walks of a round run side by side and share the cores."""
    return max(1, CORES // len(stages.walks(CONFIGS[wildcards.run])))


def calculation_threads(wildcards):
    """Jobs that calculate labels run side by side and share the cores."""
    return max(1, CORES // int(wildcards.jobs))


def fit_threads(wildcards):
    """All cores for a fit that runs alone; restarts that run side by side share them."""
    at_once = CONFIGS[wildcards.run].fit.fit_cycles - 1 if is_parallel(wildcards.run) and int(wildcards.cycle) else 1
    return max(1, CORES // at_once)
