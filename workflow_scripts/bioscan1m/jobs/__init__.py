"""A job of the workflow: its context, its recipe, the digest of its code, its record and the ledger of records."""
