"""Tools as `mcp_list_tools` shows them: named, described and typed in a way that harms no reader of the list."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

import orjson

from graph.errors import Json
from nodes.mcp.limits import Limits
from nodes.mcp.result import shortened
from nodes.mcp.schema import NoRoom, Room, Unfit, fit
from nodes.mcp.target import Target
from nodes.mcp.visible import has_hidden, visible

logger = logging.getLogger(__name__)


def listed_tools(found: Sequence[Json], target: Target, limits: Limits) -> list[Json]:
    """What a server lists → what is shown of it and offered to the model.

    Left out are tools without a name that fits, those of a name that another one has already, and those for which
    there is no more room; a schema that is not fit to be passed on is left away, which the description says.
    """
    tools: dict[str, Json] = {}
    room = Room(limits.listing_bytes)
    with suppress(NoRoom):
        for tool in found:
            name = tool.get("name")
            if isinstance(name, str) and name not in tools and _is_name(name, target, limits):
                tools[name] = _shown(tool, target, limits, room)
    if len(tools) < len(found):
        facts = {"left_out": len(found) - len(tools), "listed": len(tools)}
        logger.warning("Tools of an MCP server were left out", extra=facts)
    return list(tools.values())


def _is_name(name: str, target: Target, limits: Limits) -> bool:
    fits = 0 < len(name) <= limits.name_chars and not has_hidden(name) and not any(c in name for c in "\n\t")
    return fits and bool(name.strip()) and target.redacted(name) == name


def _shown(tool: Json, target: Target, limits: Limits, room: Room) -> Json:
    annotations, description = tool.get("annotations"), tool.get("description")
    read_only = cast(Json, annotations).get("readOnlyHint") is True if isinstance(annotations, dict) else False
    said = _described(target.redacted(description), limits) if isinstance(description, str) else None
    schema: Json = {"type": "object", "properties": {}}
    try:
        schema = _redacted(fit(tool.get("inputSchema", schema), limits, room), target)
    except Unfit as unfit:
        note = visible(target.redacted(f"[The input schema of this tool was left away: {unfit}.]"))
        said = f"{said}\n{note}" if said else note
    room.take(len(tool["name"]) + len(said or ""))
    return {
        "name": tool["name"],
        "description": said,
        "input_schema": schema,
        "annotations": {"read_only": read_only},
    }


def _described(text: str, limits: Limits) -> str:
    # Cut first: what is thrown away need not be cleaned.
    return visible(shortened(text, limits.description_chars))


def _redacted(schema: Json, target: Target) -> Json:
    text = orjson.dumps(schema).decode()
    safe = target.redacted(text)
    return schema if safe == text else orjson.loads(safe)
