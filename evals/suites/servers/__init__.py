"""MCP servers that shipped suites offer their models."""
