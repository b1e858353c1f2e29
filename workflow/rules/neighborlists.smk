rule neighborlists:
    input:
        structures=f"{DATASET}/structures.parquet",
        atoms=f"{DATASET}/atoms.parquet",
    output:
        shard=f"{NEIGHBORLISTS}/shard-{{shard}}-of-{NEIGHBORS['n_shards']:03d}.parquet",
    log:
        f"{NEIGHBORLISTS}/logs/shard-{{shard}}-of-{NEIGHBORS['n_shards']:03d}.log",
    benchmark:
        f"{NEIGHBORLISTS}/benchmarks/shard-{{shard}}-of-{NEIGHBORS['n_shards']:03d}.tsv"
    conda:
        "../envs/acefit.yaml"
    threads: 1
    resources:
        mem_mb=reserve(1000),
    params:
        settings=NEIGHBORS,
        code=step_digest("neighborlists"),
    message:
        "Finding neighbours, part {wildcards.shard}"
    script:
        "../scripts/neighborlists.py"
