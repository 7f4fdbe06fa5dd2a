"""Which normalization Microsoft matches better: one segment in two audiences, and what they say."""
