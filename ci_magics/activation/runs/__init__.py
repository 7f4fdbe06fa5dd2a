"""Carry out a plan: journal each request, send it, record the answer, and update the ledger."""
