# Checked settings. Patterns of the folders are those of acefit.pipeline.folders, which other programs read.
import os
import re
from pathlib import Path

from acefit.analysis.summary import final_errors
from acefit.config import stages
from acefit.config.runs import COMPARISON, load_runs
from acefit.errors import AcefitError
from acefit.pipeline.folders import CALCULATED, DATASET, FIT, NEIGHBORLISTS, RUN, SPLIT, WEIGHTS, shared
from acefit.workflow import correct_dates, damaged_files, reject, step_digest
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

CONFIG_FILES = workflow.overwrite_configfiles or workflow.configfiles

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

    used = [DATASET.format(**names) for names in SHARED.values()] + [f"results/{run}" for run in CONFIGS]
    for folder in dict.fromkeys(used):
        if number := correct_dates(Path(folder)):
            logger.warning(f"{number} files of {folder} had a date of the future and are dated now (was the clock set?)")

    # Before Snakemake looks which files there are; in a dry run, too, which would else say that nothing is to be done
    for run in CONFIGS:
        for damage in damaged_files(Path("results") / run):
            logger.warning(reject(damage, "it is made anew"))

# The environment of conda installs this package from here (workflow/envs/acefit.post-deploy.sh)
if (REPOSITORY / "pyproject.toml").is_file():
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
    walk=r"\d\d+",
    job=r"\d\d+",
    jobs=r"\d\d+",
