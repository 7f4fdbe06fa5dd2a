"""Emulates Microsoft's endpoints on one loopback port, for tests, demonstrations and first steps."""
