"""Containers: sandboxes with a name, whose files and variables outlive them."""
