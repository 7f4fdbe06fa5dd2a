"""A refresh: segments evaluated again, then what is due; once, or by a scheduler."""
