rule dataset:
    input:
        files=lambda wildcards: [file["path"] for file in stages.data_files(BY_DIGEST[wildcards.dataset])],
        references=lambda wildcards: stages.reference_files(BY_DIGEST[wildcards.dataset]),
    output:
        # A common beginning lets Snakemake keep all three in its cache
        multiext(f"{DATASET}/", structures="structures.parquet", atoms="atoms.parquet", references="references.yaml"),
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
        settings=lambda wildcards: stages.dataset_params(BY_DIGEST[wildcards.dataset]),
        code=step_digest("dataset"),
    message:
        "Reading structures from {input.files}"
    script:
        "../scripts/dataset.py"
