"""How results are shown: as text, as HTML that needs no trust, as a summary for other programs."""
