"""The one way out of a sandbox: a proxy in this process that knows which domains are allowed."""
