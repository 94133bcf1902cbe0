"""The launcher of sandboxes without namespaces: a program of its own, of the standard library alone."""
