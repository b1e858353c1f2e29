rule weights:
    input:
        structures=f"{DATASET}/structures.parquet",
        atoms=f"{DATASET}/atoms.parquet",
        split=f"{RUN}/split/split.parquet",
    output:
        structures=f"{RUN}/weights/structures.parquet",
        atoms=f"{RUN}/weights/atoms.parquet",
        summary=f"{RUN}/weights/summary.yaml",
    log:
        f"{RUN}/logs/weights.log",
    benchmark:
        f"{RUN}/benchmarks/weights.tsv"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        settings=weights_settings(CONFIG),
        code=step_digest("weights"),
    message:
        "Weighting structures and atoms"
    conda:
        "../envs/acefit.yaml"
    script:
        "../scripts/weights.py"
