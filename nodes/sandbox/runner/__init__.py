"""What runs inside a sandbox: a supervisor, and the Python that holds the variables. Standard library only, 3.10.

Nothing here is trusted by those outside: code may do to it what it likes, and harms itself alone.
"""
