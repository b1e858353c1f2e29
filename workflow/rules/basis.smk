# A checkpoint: how many ladder steps there are is known when the basis is. Fits take its files by content (fit.smk).
checkpoint basis:
    input:
        potentials=settings_of_run(stages.start_files),
    output:
        target=f"{RUN}/basis/target.yaml",
        functions=f"{RUN}/basis/functions.parquet",
        ladder=f"{RUN}/basis/ladder.yaml",
        start=f"{RUN}/basis/start.yaml",
        steps=directory(f"{RUN}/basis/steps"),
    log:
        f"{RUN}/logs/basis.log",
    benchmark:
        f"{RUN}/benchmarks/basis.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(2000),
    params:
        settings=settings_of_run(stages.basis_params),
        code=step_digest("basis"),
    message:
        "Building the basis and the plan of the ladder of {wildcards.run}"
    script:
        "../scripts/basis.py"
