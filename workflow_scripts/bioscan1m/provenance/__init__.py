"""How every file was made: records, the ledger, the audit, the trace of an image."""
