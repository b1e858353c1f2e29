# Of N jobs, which run side by side, job k takes structures k, k + N, and so on. The calculator runs its own program, perhaps on many cores:
# profiles, --set-threads and --set-resources say what a job may use.
rule calculate:
    input:
        structures=f"{RUN}/choose/structures.parquet",
        atoms=f"{RUN}/choose/atoms.parquet",
    output:
        structures=f"{CALCULATED}/structures.parquet",
        atoms=f"{CALCULATED}/atoms.parquet",
    log:
        f"{RUN}/logs/calculate/job-{{job}}-of-{{jobs}}.log",
    benchmark:
        f"{RUN}/benchmarks/calculate/job-{{job}}-of-{{jobs}}.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: calculation_threads
    resources:
        mem_mb=reserve(4000),
    params:
        settings=settings_of_run(stages.calculate_params),
        # Not among the outputs, which Snakemake removes before a job: what an interrupted job calculated is kept
        results=lambda wildcards: f"results/{wildcards.run}/calculate/results",
        code=step_digest("calculate"),
    message:
        "Calculating labels of {wildcards.run}, job {wildcards.job} of {wildcards.jobs}"
    script:
        "../scripts/calculate.py"
