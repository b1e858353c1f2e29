# Rounds of active learning: activeset, explore, choose, label; then the next round, whose dataset takes what is labelled.
rule activeset:
    input:
        potential=f"{RUN}/potential.yaml",
        structures=of_run(f"{DATASET}/structures.parquet"),
        atoms=of_run(f"{DATASET}/atoms.parquet"),
        weights=of_run(f"{WEIGHTS}/structures.parquet"),
    output:
        active_set=f"{RUN}/active/active_set.asi",
        summary=f"{RUN}/active/summary.yaml",
    log:
        f"{RUN}/logs/activeset.log",
    benchmark:
        f"{RUN}/benchmarks/activeset.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: CORES
    resources:
        mem_mb=reserve(4000),
    params:
        settings=settings_of_run(stages.active_set_params),
        code=step_digest("activeset"),
    message:
        "Making the active set of {wildcards.run}"
    script:
        "../scripts/activeset.py"
