# Made where the configuration has several runs.
rule compare:
    input:
        structures=expand(f"{RUN}/predict/structures.parquet", run=CONFIGS),
        atoms=expand(f"{RUN}/predict/atoms.parquet", run=CONFIGS),
        costs=expand(f"{RUN}/predict/cost.yaml", run=CONFIGS),
    output:
        table=f"{COMPARE}/runs.parquet",
        csv=report(f"{COMPARE}/runs.csv", caption="../report/comparison.rst", category="Comparison", labels={"shown": "table"}),
        figure=report(
            f"{COMPARE}/pareto.png", caption="../report/comparison.rst", category="Comparison", labels={"shown": "figure"}
        ),
        summary=report(
            f"{COMPARE}/summary.html", caption="../report/comparison.rst", category="Comparison", labels={"shown": "page"}
        ),
    log:
        f"{COMPARE}/logs/compare.log",
    benchmark:
        f"{COMPARE}/benchmarks/compare.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(3000),
    params:
        settings={"name": TABLE.name, "changes": TABLE.changes, "labels": TABLE.labels},
        code=step_digest("compare"),
    message:
        "Comparing errors and cost of all runs"
    script:
        "../scripts/compare.py"
