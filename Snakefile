# Entry for `snakemake` at the root of the repository; the workflow itself is under workflow/.
include: "workflow/Snakefile"


rule default:
    default_target: True
    input:
        rules.all.input,
