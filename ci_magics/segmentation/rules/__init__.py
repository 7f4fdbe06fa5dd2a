"""What a person says of the profiles of a segment: read, checked, written, counted, and carried out by any engine."""
