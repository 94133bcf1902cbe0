"""Stored runs, recorded and replayed."""
