"""Tell the people concerned when the state of an export changes."""
