"""Pages of the web: fetched with care, read, kept, and told line by line."""
