# Cores and memory that jobs ask for.
from acefit.fit.memory import optimizer_bytes

# Cores of this machine that may be used; on a cluster, where none are named, what one job asks for (profiles set it per rule)
CORES = workflow.resource_settings.cores or 16


def reserve(constant, per_mb=0, files=None):
    """Function that gives the MB of a job: a constant and a multiple of some of its input, and as much again at each attempt.

    The files must be made by other groups of jobs: Snakemake leaves out, cores included, what it cannot evaluate for a group yet.
    """
    if not per_mb:
        return lambda wildcards, attempt: attempt * constant
    return lambda wildcards, input, attempt: attempt * int(constant + per_mb * sum(map(os.path.getsize, input[files])) / 1e6)


def reserved_memory(wildcards, input, attempt):
    """MB of a fit: what the user allows it, else program and compiler, its data, and the optimiser's arrays."""
    settings, ladder = CONFIGS[wildcards.run], plan(wildcards.run)
    n_parameters = ladder["steps"][int(wildcards.step)]["n_parameters"]
    estimate = 800 + 5 * input.size_mb + optimizer_bytes(settings.fit.optimizer, n_parameters, settings.fit.maxiter) / 1e6
    return int(stages.fit_memory(settings) or attempt * estimate)


def fit_threads(wildcards):
    """All cores for a fit that runs alone; restarts that run side by side share them."""
    at_once = CONFIGS[wildcards.run].fit.fit_cycles - 1 if is_parallel(wildcards.run) and int(wildcards.cycle) else 1
    return max(1, CORES // at_once)
