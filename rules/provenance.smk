"""The records of all jobs, held against the files that are there.

NEEDS  results/provenance/records/, written by every job as its last output
MAKES  results/provenance/audit.tsv and audit.json
"""


rule audit:
    input:
        rules.dataset.input,
        rules.detector.input,
        rules.experiments.input,
        rules.inference.input,
    output:
        table="results/provenance/audit.tsv",
        summary="results/provenance/audit.json",
        page=report(
            "results/provenance/audit.html",
            category="5 Provenance",
            caption="captions/audit.rst",
            labels={"table": "Audit of every file"},
        ),
        record=f"{RECORD}/audit/audit.json",
    log:
        "logs/audit.log",
    conda:
        "../envs/data.yaml"
    threads: 4
    resources:
        mem_mb=per_attempt(4_000),
        runtime=per_attempt(240),
    params:
        audited={"records": RECORD},
        code=code_digest("audit_results"),
    message:
        "Audit every file of the run."
    script:
        "../workflow_scripts/audit_results.py"
