"""How servers are reached: HTTP, SSE and programs, each within limits, none with a failure that is not an answer."""
