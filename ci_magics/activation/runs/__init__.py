"""A plan carried out: every request written down, sent, answered, and followed by the ledger."""
