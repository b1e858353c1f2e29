# One job per walk, several side by side.
rule explore:
    input:
        potential=f"{RUN}/potential.yaml",
        active_set=f"{RUN}/active/active_set.asi",
        start=settings_of_run(stages.exploration_files),
    output:
        structures=f"{RUN}/explore/walk-{{walk}}/structures.parquet",
        atoms=f"{RUN}/explore/walk-{{walk}}/atoms.parquet",
        gamma=f"{RUN}/explore/walk-{{walk}}/gamma.parquet",
    log:
        f"{RUN}/logs/explore/walk-{{walk}}.log",
    benchmark:
        f"{RUN}/benchmarks/explore/walk-{{walk}}.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: walk_threads
    resources:
        mem_mb=reserve(2000),
    params:
        settings=lambda wildcards: stages.explore_params(CONFIGS[wildcards.run], int(wildcards.walk)),
        code=step_digest("explore"),
    message:
        "Exploring with the potential of {wildcards.run}, walk {wildcards.walk}"
    script:
        "../scripts/explore.py"
