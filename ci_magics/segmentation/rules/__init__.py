"""Rules that choose the profiles of a segment: parsed, checked, written, counted, and evaluated by any engine."""
