rule potential:
    input:
        selected=last_selected,
        structures=f"{DATASET}/structures.parquet",
        atoms=f"{DATASET}/atoms.parquet",
        references=f"{DATASET}/references.yaml",
        weights=f"{RUN}/weights/structures.parquet",
        shards=SHARDS,
    output:
        potential=report(f"{RUN}/potential.yaml", caption="../report/potential.rst", category="Potential"),
    log:
        f"{RUN}/logs/potential.log",
    benchmark:
        f"{RUN}/benchmarks/potential.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(2000),
    params:
        settings=stages.potential_params(CONFIG),
        code=step_digest("potential"),
    message:
        "Writing the potential with its core repulsion and metadata"
    script:
        "../scripts/potential.py"
