"""Model servers that speak Chat Completions, behind the machine's `Models` port."""
