"""What the caller may send."""
