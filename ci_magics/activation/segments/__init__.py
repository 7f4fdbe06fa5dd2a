"""Make, store, change, and compare segments from any source."""
