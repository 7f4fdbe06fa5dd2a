"""The operations that turn a segment into an audience: preview, plan, and run."""
