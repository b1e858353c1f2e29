rule report:
    input:
        weights=f"{RUN}/weights/structures.parquet",
    output:
        figures=report_files(FIGURES, figure_file),
        tables=report_files(TABLES, table_file, "tables"),
        summary=report(f"{RUN}/report/summary.html", caption="../report/errors.rst", category="Summary"),
    log:
        f"{RUN}/logs/report.log",
    benchmark:
        f"{RUN}/benchmarks/report.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        settings=stages.report_params(CONFIG, CONFIG_FILES[-1]),
        code=step_digest("report"),
    message:
        "Drawing figures and tables of the report"
    script:
        "../scripts/report.py"
