"""Where connections, segments, runs and ledgers are kept."""
