"""Refresh: evaluate segments again, then run the exports that are due; once, or in a scheduler."""
