rule predict:
    input:
        potential=f"{RUN}/potential.yaml",
        structures=f"{DATASET}/structures.parquet",
        atoms=f"{DATASET}/atoms.parquet",
        weights=f"{RUN}/weights/structures.parquet",
        atom_weights=f"{RUN}/weights/atoms.parquet",
        shards=SHARDS,
    output:
        structures=f"{RUN}/predict/structures.parquet",
        atoms=f"{RUN}/predict/atoms.parquet",
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
        settings=stages.predict_params(CONFIG),
        code=step_digest("predict"),
    message:
        "Predicting all structures with the final potential"
    script:
        "../scripts/predict.py"
