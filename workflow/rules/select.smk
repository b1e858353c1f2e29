rule select:
    input:
        results=lambda wildcards: cycle_files(wildcards, "result.yaml"),
        potentials=lambda wildcards: cycle_files(wildcards, "potential.yaml"),
    output:
        potential=f"{RUN}/select/step-{{step}}/potential.yaml",
        cycles=f"{RUN}/select/step-{{step}}/cycles.parquet",
        ensemble=directory(f"{RUN}/select/step-{{step}}/ensemble"),
    log:
        f"{RUN}/logs/select/step-{{step}}.log",
    benchmark:
        f"{RUN}/benchmarks/select/step-{{step}}.tsv"
    # Takes a third of a second, less than a batch job waits in the queue
    localrule: True
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(1000),
    params:
        settings=settings_of_run(stages.select_params),
        code=step_digest("select"),
    message:
        "Choosing the best cycle of ladder step {wildcards.step} of {wildcards.run}"
    script:
        "../scripts/select.py"
