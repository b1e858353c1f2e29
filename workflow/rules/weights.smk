rule weights:
    input:
        structures=f"{DATASET}/structures.parquet",
        atoms=f"{DATASET}/atoms.parquet",
        split=split_of_weights,
        given=given_weights,
    output:
        structures=f"{WEIGHTS}/structures.parquet",
        atoms=f"{WEIGHTS}/atoms.parquet",
        summary=f"{WEIGHTS}/summary.yaml",
    log:
        f"{WEIGHTS}/logs/weights.log",
    benchmark:
        f"{WEIGHTS}/benchmarks/weights.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(2000),
    params:
        settings=lambda wildcards: stages.weights_params(BY_DIGEST[wildcards.weights]),
        code=step_digest("weights"),
    message:
        "Weighting structures and atoms"
    script:
        "../scripts/weights.py"
