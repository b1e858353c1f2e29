rule neighborlists:
    input:
        structures=f"{DATASET}/structures.parquet",
        atoms=f"{DATASET}/atoms.parquet",
    output:
        shard=f"{NEIGHBORLISTS}/shard-{{shard}}-of-{N_SHARDS:03d}.parquet",
    log:
        f"{NEIGHBORLISTS}/logs/shard-{{shard}}-of-{N_SHARDS:03d}.log",
    benchmark:
        f"{NEIGHBORLISTS}/benchmarks/shard-{{shard}}-of-{N_SHARDS:03d}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        settings=neighborlists_settings(CONFIG),
        code=step_digest("neighborlists"),
    message:
        "Finding neighbours, part {wildcards.shard}"
    conda:
        "../envs/acefit.yaml"
    script:
        "../scripts/neighborlists.py"
