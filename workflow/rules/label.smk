rule label:
    input:
        chosen=f"{RUN}/choose/structures.parquet",
        structures=of_calculations(f"{CALCULATED}/structures.parquet"),
        atoms=of_calculations(f"{CALCULATED}/atoms.parquet"),
    output:
        structures=f"{RUN}/label/structures.parquet",
        atoms=f"{RUN}/label/atoms.parquet",
    log:
        f"{RUN}/logs/label.log",
    benchmark:
        f"{RUN}/benchmarks/label.tsv"
    # Takes a second, less than a batch job waits in the queue
    localrule: True
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(1000),
    params:
        code=step_digest("label"),
    message:
        "Gathering the labels of {wildcards.run}"
    script:
        "../scripts/label.py"
