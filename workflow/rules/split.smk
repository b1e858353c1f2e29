rule split:
    input:
        structures=f"{DATASET}/structures.parquet",
    output:
        split=f"{RUN}/split/split.parquet",
    log:
        f"{RUN}/logs/split.log",
    benchmark:
        f"{RUN}/benchmarks/split.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(1000),
    params:
        settings=stages.split_params(CONFIG),
        code=step_digest("split"),
    message:
        "Dividing the structures into training and test set"
    script:
        "../scripts/split.py"
