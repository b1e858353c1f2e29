rule neighborlists:
    input:
        structures=f"{DATASET}/structures.parquet",
        atoms=f"{DATASET}/atoms.parquet",
    output:
        shard=f"{NEIGHBORLISTS}/shard-{{shard}}-of-{{shards}}.parquet",
    log:
        f"{NEIGHBORLISTS}/logs/shard-{{shard}}-of-{{shards}}.log",
    benchmark:
        f"{NEIGHBORLISTS}/benchmarks/shard-{{shard}}-of-{{shards}}.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(1000),
    params:
        settings=lambda wildcards: {"cutoff": float(wildcards.cutoff), "n_shards": int(wildcards.shards)},
        # A parameter, because Snakemake's cache knows neither wildcards nor names of files: all shards would be one
        shard=lambda wildcards: int(wildcards.shard),
        code=step_digest("neighborlists"),
    message:
        "Finding neighbours, part {wildcards.shard}"
    script:
        "../scripts/neighborlists.py"
