"""Magics and forms: thin skins over the public functions."""
