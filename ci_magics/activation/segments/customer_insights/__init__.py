"""Customer Insights as a source: its segments become segments of the workspace, whatever way their members come."""
