"""Plan an export: compare the segment with the ledger and the audience, check the guards, and calculate the changes."""
