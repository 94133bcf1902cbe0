"""Files that callers bring along: what is in them, as a model can be told."""
