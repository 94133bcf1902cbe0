"""Asks a running server questions, and speaks only HTTP."""
