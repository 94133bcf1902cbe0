"""What the model was asked in the course of a conversation."""

from tests.upstream import Script


def roles(script: Script) -> list[list[str]]:
    """The roles of the messages of each request."""
    return [[message["role"] for message in ask.messages] for ask in script.seen]


def tool_texts(script: Script) -> list[str]:
    """What tools answered, as the model was told in the last request."""
    return [message["content"] for message in script.last.messages if message["role"] == "tool"]
