"""Magics and forms: thin layers over the public functions."""
