rule weights:
    input:
        structures=f"{DATASET}/structures.parquet",
        atoms=f"{DATASET}/atoms.parquet",
        split=f"{RUN}/split/split.parquet",
        given=WEIGHT_FILE,
    output:
        structures=f"{RUN}/weights/structures.parquet",
        atoms=f"{RUN}/weights/atoms.parquet",
        summary=f"{RUN}/weights/summary.yaml",
    log:
        f"{RUN}/logs/weights.log",
    benchmark:
        f"{RUN}/benchmarks/weights.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(2000),
    params:
        settings=stages.weights_params(CONFIG),
        code=step_digest("weights"),
    message:
        "Weighting structures and atoms"
    script:
        "../scripts/weights.py"
