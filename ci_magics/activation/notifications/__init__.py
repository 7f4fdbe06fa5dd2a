"""Notify people when the state of an export changes."""
