"""How well a running server finds passages: a small set of texts and questions in thirteen languages."""
