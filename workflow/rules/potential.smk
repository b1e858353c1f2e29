rule potential:
    input:
        selected=last_selected,
        structures=of_run(f"{DATASET}/structures.parquet"),
        atoms=of_run(f"{DATASET}/atoms.parquet"),
        references=of_run(f"{DATASET}/references.yaml"),
        weights=of_run(f"{WEIGHTS}/structures.parquet"),
        shards=lambda wildcards: shard_files(wildcards.run),
    output:
        potential=report(
            f"{RUN}/potential.yaml", caption="../report/potential.rst", category="Potential", labels={"run": "{run}"}
        ),
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
        settings=settings_of_run(stages.potential_params),
        code=step_digest("potential"),
    message:
        "Writing the potential with its core repulsion and metadata, for {wildcards.run}"
    script:
        "../scripts/potential.py"
