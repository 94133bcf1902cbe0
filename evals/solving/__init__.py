"""One case, asked once: a transcript."""
