rule report:
    input:
        potential=f"{RUN}/potential.yaml",
        predicted_structures=f"{RUN}/predict/structures.parquet",
        predicted_atoms=f"{RUN}/predict/atoms.parquet",
        references=f"{DATASET}/references.yaml",
        weight_summary=f"{RUN}/weights/summary.yaml",
        metrics=lambda wildcards: all_fits("metrics.parquet"),
        results=lambda wildcards: all_fits("result.yaml"),
        cycles=lambda wildcards: [f"{RUN}/select/{step}/cycles.parquet" for step in step_names()],
    output:
        figures=report_files(FIGURES, figure_file, f"{RUN}/report"),
        tables=report_files(TABLES, table_file, f"{RUN}/report/tables"),
        summary=report(f"{RUN}/report/summary.html", caption="../report/summary.rst", category="Summary"),
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
        settings=stages.report_params(CONFIG, CONFIG_FILES[-1]),
        benchmarks=lambda wildcards: measured_jobs(),
        code=step_digest("report"),
    message:
        "Drawing figures and tables of the report"
    script:
        "../scripts/report.py"
