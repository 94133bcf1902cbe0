"""Suites of other harnesses."""
