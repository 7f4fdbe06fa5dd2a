"""Consent as data: which columns say who agreed, what their values mean, and the one state kept for each profile."""
