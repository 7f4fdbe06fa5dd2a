"""Sources of rows: frames, files, databases and queries, in memory or streamed."""
