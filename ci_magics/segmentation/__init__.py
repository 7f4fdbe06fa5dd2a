"""Segments: named sets of profiles with an e-mail column and a key."""
