"""The tables of the results as pages of the report; figures are marked where they are drawn.

NEEDS  results/summary/, results/statistics/, results/detector/, results/metadata/ and results/quarantine/
MAKES  results/report/, and by `snakemake --report results/report.html` one file with all of it
"""

TABLES = tables_of_report("render_tables")
# Those of the target experiments, whose report has them without what else a run makes.
EXPERIMENT_TABLES = tables_of_report("render_experiments")


rule render_tables:
    input:
        tables=[row["table"] for row in TABLES],
    output:
        pages=[in_report(row["page"], row["part"], caption=row["caption"], result=row["title"]) for row in TABLES],
        record=f"{RECORD}/render_tables/tables.json",
    log:
        "logs/render_tables.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        titles=[row["title"] for row in TABLES],
        empty=[row["empty"] for row in TABLES],
        code=code_digest("render_tables"),
    message:
        "Show the tables in the report."
    script:
        "../workflow_scripts/render_tables.py"


use rule render_tables as render_experiments with:
    input:
        tables=[row["table"] for row in EXPERIMENT_TABLES],
    output:
        pages=[
            in_report(row["page"], row["part"], caption=row["caption"], result=row["title"])
            for row in EXPERIMENT_TABLES
        ],
        record=f"{RECORD}/render_experiments/tables.json",
    log:
        "logs/render_experiments.log",
    localrule: True  # not taken over from render_tables
    params:
        titles=[row["title"] for row in EXPERIMENT_TABLES],
        empty=[row["empty"] for row in EXPERIMENT_TABLES],
    message:
        "Show the tables of the experiments in the report."
