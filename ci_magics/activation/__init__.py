"""Preview, plan, push: what carries a segment to an audience."""
