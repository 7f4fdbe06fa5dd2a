"""Exports: one-time and saved exports, their options, schedules, and runs."""
