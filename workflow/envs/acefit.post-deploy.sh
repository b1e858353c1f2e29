#!/usr/bin/env bash
# Snakemake runs this in the new environment; common.smk sets ACEFIT_SOURCE to the folder of this repository.
set -euo pipefail
python -m pip install "vesin>=0.4.2"
python -m pip install --no-deps --no-build-isolation --editable "${ACEFIT_SOURCE:?set it to the folder of the acefit repository}"
