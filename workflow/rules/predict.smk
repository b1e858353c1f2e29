rule predict:
    input:
        potential=f"{RUN}/potential.yaml",
        structures=of_run(f"{DATASET}/structures.parquet"),
        atoms=of_run(f"{DATASET}/atoms.parquet"),
        weights=of_run(f"{WEIGHTS}/structures.parquet"),
        atom_weights=of_run(f"{WEIGHTS}/atoms.parquet"),
        shards=lambda wildcards: shard_files(wildcards.run),
    output:
        structures=f"{RUN}/predict/structures.parquet",
        atoms=f"{RUN}/predict/atoms.parquet",
        cost=f"{RUN}/predict/cost.yaml",
    log:
        f"{RUN}/logs/predict.log",
    benchmark:
        f"{RUN}/benchmarks/predict.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: CORES
    resources:
        mem_mb=reserve(2000),
    params:
        settings=settings_of_run(stages.predict_params),
        code=step_digest("predict"),
    message:
        "Predicting all structures with the final potential of {wildcards.run}"
    script:
        "../scripts/predict.py"
