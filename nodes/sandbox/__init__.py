"""Sandboxes: isolated Pythons on this machine and elsewhere."""
