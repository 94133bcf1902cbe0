"""A model that follows rules, behind a true Chat Completions server: what suites are held against without a model."""
