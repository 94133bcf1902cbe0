"""Skills of callers: read from what they upload, and put into containers."""
