"""Suites of questions, with graders for what comes of them."""
