"""The grammar of operations: what a typed function declares, and how a line of words becomes its call."""
