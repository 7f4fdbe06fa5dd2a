"""What an export would change: segment, ledger and audience looked at, guarded, and worked out."""
