rule dataset:
    input:
        files=DATA_FILES,
        references=REFERENCE_FILES,
    output:
        structures=f"{DATASET}/structures.parquet",
        atoms=f"{DATASET}/atoms.parquet",
        references=f"{DATASET}/references.yaml",
    log:
        f"{DATASET}/logs/dataset.log",
    benchmark:
        f"{DATASET}/benchmarks/dataset.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reading_memory,
    params:
        settings=stages.dataset_params(CONFIG),
        code=step_digest("dataset"),
    message:
        "Reading structures from {input.files}"
    script:
        "../scripts/dataset.py"
