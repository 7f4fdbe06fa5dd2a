"""Erase one person from audiences, ledgers, and segments."""
