"""Customer Insights as a source: read its segments, by any route, into segments of the workspace."""
