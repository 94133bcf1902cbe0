"""Suites that are shipped, and what they need."""
