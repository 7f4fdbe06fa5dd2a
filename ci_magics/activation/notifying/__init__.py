"""Whom it concerns is told when the state of an export changes."""
