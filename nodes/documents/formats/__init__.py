"""How each format is read, in a process of its own: nothing here may import what the server is made of."""
