# The calculator runs its own program, perhaps on many cores: profiles and --set-threads say what the job may use.
rule label:
    input:
        structures=f"{RUN}/choose/structures.parquet",
        atoms=f"{RUN}/choose/atoms.parquet",
    output:
        structures=f"{RUN}/label/structures.parquet",
        atoms=f"{RUN}/label/atoms.parquet",
    log:
        f"{RUN}/logs/label.log",
    benchmark:
        f"{RUN}/benchmarks/label.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: CORES
    resources:
        mem_mb=reserve(4000),
    params:
        settings=settings_of_run(stages.label_params),
        # Not among the outputs, which Snakemake removes before a job: what an interrupted job calculated is kept
        results=lambda wildcards: f"results/{wildcards.run}/label/results",
        code=step_digest("label"),
    message:
        "Labelling the structures of {wildcards.run}"
    script:
        "../scripts/label.py"
