"""Microsoft's endpoints on one loopback port, for tests, demonstrations and newcomers."""
