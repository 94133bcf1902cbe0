"""Chromium: where it is, how it is shut in, and one that runs."""
