"""Where rows come from: frames, files, databases and queries, in memory or streamed."""
