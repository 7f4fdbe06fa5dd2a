"""From e-mail addresses to hashes, and how many profiles can be matched."""
