rule export:
    input:
        potential=f"{RUN}/potential.yaml",
    output:
        yace=f"{RUN}/export/potential.yace",
        lammps=f"{RUN}/export/lammps.in",
    log:
        f"{RUN}/logs/export.log",
    benchmark:
        f"{RUN}/benchmarks/export.tsv"
    # Takes a second, less than a batch job waits in the queue
    localrule: True
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(1000),
    params:
        settings=settings_of_run(stages.export_params),
        code=step_digest("export"),
    message:
        "Writing the potential for LAMMPS, for {wildcards.run}"
    script:
        "../scripts/export.py"
