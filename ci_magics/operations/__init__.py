"""The public operations: collections with their verbs, one file per noun, and what has no noun."""
