"""Segments that a column proposes: its most frequent values, or its percentiles."""
