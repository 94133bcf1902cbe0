"""Suites, run on inspect_ai."""
