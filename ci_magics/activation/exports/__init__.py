"""Exports, run at once or saved: their choices, their schedules, their runs."""
