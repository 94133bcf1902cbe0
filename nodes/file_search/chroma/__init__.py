"""Chroma, where stores are too large to look at every vector: an index beside the database, which it may always lag."""
