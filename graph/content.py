"""Content parts of items → content parts of chat messages."""

import orjson

from graph.errors import Json
from graph.offers import model_name
from graph.state import Item


def text_of(content: str | list[Json]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or part.get("refusal") or "" for part in content)


def content_of(content: str | list[Json]) -> str | list[Json]:
    """Input parts as chat parts; text alone stays a string, which every server takes."""
    if isinstance(content, str):
        return content
    if all(part["type"] in ("input_text", "output_text", "text") for part in content):
        return "\n".join(part["text"] for part in content)
    return [_part(part) for part in content]


def _part(part: Json) -> Json:
    match part["type"]:
        case "input_image":
            image = {"url": part["image_url"]}
            detail = part.get("detail")
            return {"type": "image_url", "image_url": image | ({"detail": detail} if detail in ("low", "high") else {})}
        case "input_file":
            return {"type": "file", "file": {key: part[key] for key in ("filename", "file_data") if part.get(key)}}
        case "input_audio":
            return {"type": "input_audio", "input_audio": part["input_audio"]}
        case _:
            return {"type": "text", "text": part.get("text") or part.get("refusal") or ""}


def reply_of(item: Item) -> str | list[Json]:
    """What the client's answer to a call says to the model."""
    match item["type"]:
        case "function_call_output" | "custom_tool_call_output" | "local_shell_call_output":
            output = item["output"]
            return output if isinstance(output, str) else [_part(part) for part in output]
        case "shell_call_output":
            return orjson.dumps(item["output"]).decode()
        case "apply_patch_call_output":
            return f"{item['status']}. {item.get('output') or ''}".strip()
        case "computer_call_output":
            shown: Json = item["output"]
            gone = shown["type"] == "input_text"
            return [_part(shown if gone else {"type": "input_image", "image_url": shown["image_url"]})]
        case _:
            names = ", ".join(name for tool in item.get("tools") or () for name in _names(tool))
            return f"These tools can be called now: {names or 'none'}."


def _names(tool: Json) -> list[str]:
    """What the model calls the tools that a search has found."""
    match tool["type"]:
        case "namespace":
            return [model_name(member["name"], tool["name"]) for member in tool["tools"]]
        case "mcp":
            return tool.get("allowed_tools") or [f"all of {tool['server_label']}"]
        case kind:
            return [str(tool.get("name") or kind)]
