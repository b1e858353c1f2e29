rule report:
    input:
        potential=f"{RUN}/potential.yaml",
        predicted_structures=f"{RUN}/predict/structures.parquet",
        predicted_atoms=f"{RUN}/predict/atoms.parquet",
        references=of_run(f"{DATASET}/references.yaml"),
        weight_summary=of_run(f"{WEIGHTS}/summary.yaml"),
        metrics=of_steps(f"{FIT}/metrics.parquet"),
        results=of_steps(f"{FIT}/result.yaml"),
        cycles=of_steps(f"{RUN}/select/step-{{step}}/cycles.parquet"),
    output:
        figures=report_files(FIGURES, figure_file, f"{RUN}/report"),
        tables=report_files(TABLES, table_file, f"{RUN}/report/tables"),
        summary=report(f"{RUN}/report/summary.html", caption="../report/summary.rst", category="Summary", labels={"run": "{run}"}),
    log:
        f"{RUN}/logs/report.log",
    benchmark:
        f"{RUN}/benchmarks/report.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(3000),
    params:
        settings=lambda wildcards: stages.report_params(CONFIGS[wildcards.run], wildcards.run),
        benchmarks=measured_jobs,
        code=step_digest("report"),
    message:
        "Drawing figures and tables of the report of {wildcards.run}"
    script:
        "../scripts/report.py"
