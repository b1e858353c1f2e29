# One job per ladder step and cycle. The files of the basis are `ancient` and enter by digest, because the checkpoint writes all of
# them anew: another step at the end, or the same content again, leaves finished fits alone.
rule fit:
    input:
        step=lambda wildcards: ancient(step_file(wildcards)),
        start=start_potential,
        previous=earlier_cycles,
        shards=lambda wildcards: shard_files(wildcards.run),
        structures=of_run(f"{DATASET}/structures.parquet"),
        atoms=of_run(f"{DATASET}/atoms.parquet"),
        weights=of_run(f"{WEIGHTS}/structures.parquet"),
        atom_weights=of_run(f"{WEIGHTS}/atoms.parquet"),
        summary=of_run(f"{WEIGHTS}/summary.yaml"),
    output:
        potential=f"{FIT}/potential.yaml",
        metrics=f"{FIT}/metrics.parquet",
        result=f"{FIT}/result.yaml",
    log:
        f"{RUN}/logs/fit/step-{{step}}-cycle-{{cycle}}.log",
    benchmark:
        f"{RUN}/benchmarks/fit/step-{{step}}-cycle-{{cycle}}.tsv"
    # What takes longest goes before the choice among cycles, on which a single cycle does not wait
    priority: 1
    conda:
        "../envs/acefit.yaml"
    # Of each process, if there are several
    threads: fit_threads
    resources:
        # Number of processes, and the command that starts them: --set-resources fit:tasks=4 fit:mpi="mpiexec --bind-to none"
        tasks=1,
        mpi=lambda wildcards: None,
        mem_mb=reserved_memory,
        # What the user allows a fit, 0 without a limit; unlike mem_mb no guess, so that a fit may be refused for it
        limit_mb=lambda wildcards: int(stages.fit_memory(CONFIGS[wildcards.run]) or 0),
        # Like memory it changes no result, so that it is no parameter
        stream=settings_of_run(stages.fit_stream),
    params:
        settings=lambda wildcards: stages.fit_params(CONFIGS[wildcards.run], int(wildcards.cycle)),
        step=lambda wildcards: int(wildcards.step),
        cycle=lambda wildcards: int(wildcards.cycle),
        content=basis_content,
        code=step_digest("fit"),
    message:
        "Fitting ladder step {wildcards.step}, cycle {wildcards.cycle} of {wildcards.run}"
    script:
        "../scripts/fit.py"
