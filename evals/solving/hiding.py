"""Keys that servers echo are not kept."""

from typing import Any

from evals.transcript import Transcript

Json = dict[str, Any]

#: Fields of tools in which requests bear credentials.
_CREDENTIALS = ("authorization", "headers")


#: The key of servers that want none.
NO_KEY = "none"


def hide(transcript: Transcript, key: str) -> None:
    """Take the key out of faults and errors, and credentials out of tools that responses repeat."""
    if transcript.fault:
        transcript.fault = _without(key, transcript.fault)
    for made in transcript.turns:
        if made.error:
            made.error["message"] = _without(key, str(made.error["message"]))
        for response in made.responses:
            if tools := response.get("tools"):
                response["tools"] = [_bare(tool) for tool in tools]


def _without(key: str, said: str) -> str:
    return said if key == NO_KEY else said.replace(key, "…")


def _bare(tool: Json) -> Json:
    return {name: value for name, value in tool.items() if name not in _CREDENTIALS}
