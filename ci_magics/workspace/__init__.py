"""Storage of connections, segments, runs, and ledgers."""
