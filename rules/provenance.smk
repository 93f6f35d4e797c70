"""The records of all jobs, sealed in a ledger and held against the files that are there.

NEEDS  results/provenance/records/, written by every job as its last output
MAKES  results/provenance/ledger.jsonl, audit.tsv and audit.json
"""

from snakemake.io import is_flagged

# A record says of which inputs and parameters others are no reason to run its job again.
for job_rule in workflow.rules:
    ancient_inputs = [name for name, item in job_rule.input.items() if is_flagged(item, "ancient")]
    unwatched_params = [name for name, item in job_rule.params.items() if hasattr(item, "unwatched")]
    job_rule.set_params(ancient=unwatched(ancient_inputs), unwatched=unwatched(unwatched_params))


rule seal_records:
    input:
        rules.dataset.input,
        rules.detector.input,
        rules.experiments.input,
        rules.inference.input,
    output:
        head="results/provenance/ledger.json",
        record=f"{RECORD}/seal_records/ledger.json",
    log:
        "logs/seal_records.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        signing={"key": config["provenance"]["signing_key"]},
        code=code_digest("seal_records"),
    message:
        "Seal the records of all jobs in the ledger."
    script:
        "../workflow_scripts/seal_records.py"


rule audit:
    input:
        rules.seal_records.input,
        ledger=rules.seal_records.output.head,
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
        messages="logs/audit.log",
        findings="logs/audit.tsv",
    conda:
        "../envs/data.yaml"
    threads: 4
    resources:
        mem_mb=per_attempt(4_000),
        runtime=per_attempt(240),
    params:
        code=code_digest("audit_results"),
    message:
        "Audit every file of the run."
    script:
        "../workflow_scripts/audit_results.py"
