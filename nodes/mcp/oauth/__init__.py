"""Tokens for servers of the operator's: asked for, kept, renewed and shown."""
