rule split:
    input:
        structures=f"{DATASET}/structures.parquet",
    output:
        split=f"{SPLIT}/split.parquet",
    log:
        f"{SPLIT}/logs/split.log",
    benchmark:
        f"{SPLIT}/benchmarks/split.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(1000),
    params:
        settings=lambda wildcards: stages.split_params(BY_DIGEST[wildcards.split]),
        code=step_digest("split"),
    message:
        "Dividing the structures into training and test set"
    script:
        "../scripts/split.py"
