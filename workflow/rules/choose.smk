rule choose:
    input:
        potential=f"{RUN}/potential.yaml",
        active_set=f"{RUN}/active/active_set.asi",
        structures=of_walks(f"{RUN}/explore/walk-{{walk}}/structures.parquet"),
        atoms=of_walks(f"{RUN}/explore/walk-{{walk}}/atoms.parquet"),
    output:
        structures=f"{RUN}/choose/structures.parquet",
        atoms=f"{RUN}/choose/atoms.parquet",
    log:
        f"{RUN}/logs/choose.log",
    benchmark:
        f"{RUN}/benchmarks/choose.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: CORES
    resources:
        mem_mb=reserve(4000),
    params:
        settings=settings_of_run(stages.choose_params),
        code=step_digest("choose"),
    message:
        "Choosing structures to be labelled in {wildcards.run}"
    script:
        "../scripts/choose.py"
