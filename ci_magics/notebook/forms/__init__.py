"""Interactive forms."""
