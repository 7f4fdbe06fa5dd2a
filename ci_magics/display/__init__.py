"""Display results as text, as HTML for untrusted notebooks, and as a summary for other programs."""
