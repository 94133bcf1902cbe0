"""File search: texts of callers' files made searchable, by their words and by what they mean."""
