"""Segments as a person makes, keeps, changes and compares them, whatever their profiles come from."""
