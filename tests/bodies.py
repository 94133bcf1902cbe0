"""What may happen inside an item: the order of its events, and that they add up to what `done` says.

Each event type has a short word; the body of an item type is a regular expression over these words.
Source: contract, section 7.3.
"""

import json
from typing import Any

import regex

from tests.schema import Json, demand

_WORDS = {
    "content_part.added": "part",
    "content_part.done": "part!",
    "output_text.delta": "text",
    "output_text.done": "text!",
    "output_text.annotation.added": "note",
    "refusal.delta": "refusal",
    "refusal.done": "refusal!",
    "reasoning_text.delta": "raw",
    "reasoning_text.done": "raw!",
    "reasoning.delta": "raw",
    "reasoning.done": "raw!",
    "reasoning_summary_part.added": "sum",
    "reasoning_summary_part.done": "sum!",
    "reasoning_summary_text.delta": "gist",
    "reasoning_summary_text.done": "gist!",
    "function_call_arguments.delta": "args",
    "function_call_arguments.done": "args!",
    "custom_tool_call_input.delta": "input",
    "custom_tool_call_input.done": "input!",
    "mcp_call_arguments.delta": "margs",
    "mcp_call_arguments.done": "margs!",
    "code_interpreter_call_code.delta": "code",
    "code_interpreter_call_code.done": "code!",
    "shell_call_command.added": "cmd+",
    "shell_call_command.delta": "cmd",
    "shell_call_command.done": "cmd!",
    "shell_call_output_content.delta": "out",
    "shell_call_output_content.done": "out!",
    "apply_patch_call_operation_diff.delta": "diff",
    "apply_patch_call_operation_diff.done": "diff!",
    "image_generation_call.partial_image": "image",
    "compaction.compacting": "compacting",
}
_TEXT = "part (text (note )*)*text! part! "
_REFUSAL = "part (refusal )*refusal! part! "
_RAW = "part (raw )*raw! part! "
_SUMMARY = "sum (gist )*gist! sum! "
_ORDER = {
    "message": f"({_TEXT}|{_REFUSAL})*",
    "reasoning": f"({_SUMMARY})*({_RAW})*|({_RAW})*({_SUMMARY})*",
    "function_call": "(args )*args! ",
    "custom_tool_call": "(input )*input! ",
    "mcp_list_tools": "in_progress (completed |failed )",
    "mcp_call": "in_progress margs margs! (in_progress )?(completed |failed )",
    "shell_call": "(cmd[+] (cmd )*cmd! )*",
    "shell_call_output": "((out )*out! )+",
    "apply_patch_call": "(diff )*diff! ",
    "compaction": "(compacting )?",
    "code_interpreter_call": "in_progress (code )*code! interpreting completed ",
    "web_search_call": "in_progress searching completed ",
    "file_search_call": "in_progress searching completed ",
    "image_generation_call": "in_progress generating (image )*completed ",
}
#: Types without an event for failing.
_NEVER_FAILED = {"code_interpreter_call", "web_search_call", "file_search_call", "image_generation_call"}
#: Types that are added and done, with nothing between.
_BARE = {
    "mcp_approval_request", "computer_call", "local_shell_call", "tool_search_call", "tool_search_output", "program",
    "program_output",
}  # fmt: skip
#: Types that are whole when they are added; only their status changes.
_UNCHANGED = {"mcp_approval_request", "computer_call", "local_shell_call", "tool_search_output", "compaction"}
_ZERO: dict[str, Json] = {
    "message": {"content": [], "role": "assistant", "status": "in_progress"},
    "function_call": {"arguments": "", "status": "in_progress"},
    "custom_tool_call": {"input": ""},
    "mcp_call": {"arguments": "", "output": None, "error": None},
    "mcp_list_tools": {"tools": []},
    "reasoning": {"summary": []},
    "shell_call": {"status": "in_progress"},
    "shell_call_output": {"status": "in_progress", "output": []},
    "computer_call": {"status": "in_progress"},
    "local_shell_call": {"status": "in_progress"},
    "tool_search_call": {"status": "in_progress"},
    "tool_search_output": {"status": "in_progress"},
    "apply_patch_call": {"status": "in_progress"},
    "code_interpreter_call": {"code": "", "status": "in_progress"},
    "file_search_call": {"queries": [], "results": None, "status": "in_progress"},
    "web_search_call": {"status": "in_progress"},
    "image_generation_call": {"status": "in_progress"},
}
_CONSTANT = (
    "id",
    "type",
    "call_id",
    "name",
    "namespace",
    "server_label",
    "approval_request_id",
    "container_id",
    "role",
)
_ENDED = {"completed", "incomplete", "failed", None}
#: The done text of an item: (word, key in the `done` event, path in the item).
_WHOLE = {
    "args": ("arguments", ("arguments",)),
    "margs": ("arguments", ("arguments",)),
    "input": ("input", ("input",)),
    "code": ("code", ("code",)),
    "diff": ("diff", ("operation", "diff")),
}
_PARTS = {
    "text": ("text", "output_text"),
    "refusal": ("refusal", "refusal"),
    "raw": ("text", "reasoning_text"),
    "gist": ("text", "summary_text"),
}


def _word(item_type: str, event_type: str) -> str:
    stem = event_type.removeprefix("response.")
    return _WORDS.get(stem) or stem.removeprefix(f"{item_type}.")


def check_zero(item: Json) -> None:
    """An item as `output_item.added` shows it holds nothing yet."""
    kind = item["type"]
    for key, zero in _ZERO.get(kind, {}).items():
        demand(key in item and item[key] == zero, f"{kind} is added with {key}={item.get(key)!r}")
    if kind == "shell_call":
        demand(item["action"]["commands"] == [], "shell_call is added with commands")
    if kind == "apply_patch_call":
        demand(not item["operation"].get("diff"), "apply_patch_call is added with a diff")
    if kind == "reasoning":
        demand(not item.get("content"), "reasoning is added with content")
    if kind == "web_search_call":
        demand("action" not in item, "web_search_call is added with its action")


def _deletes(item: Json) -> bool:
    return item["type"] == "apply_patch_call" and item["operation"]["type"] == "delete_file"


class Body:
    """The events of one open item."""

    def __init__(self, added: Json) -> None:
        self.id = added["id"]
        self._added = added
        self._words = ""
        self._text = ""
        self._tokens: list[str] = []
        self._part: Json = {}
        self._notes: list[Any] = []
        #: Finished parts, summaries, commands.
        self._parts: dict[str, list[Any]] = {"part": [], "sum": [], "cmd": [], "out": []}
        self._whole: dict[str, str] = {}

    def feed(self, kind: str, event: Json) -> None:
        demand(event.get("item_id", self.id) == self.id, f"{kind} is of {event.get('item_id')}, open is {self.id}")
        demand("item_id" in event or "shell_call_command" in kind, f"{kind} without item_id")
        word = _word(self._added["type"], kind)
        self._words += word + " "
        self._index(word, event)
        match word.rstrip("+!"):
            case "part" | "sum":
                self._bracket(word, event["part"])
            case "cmd":
                self._command(word, event)
            case "out" if word == "out!":
                self._parts["out"] += event["output"]
            case "note":
                demand(event["annotation_index"] == len(self._notes), f"annotation {event['annotation_index']}")
                self._notes.append(event["annotation"])
            case stem if stem in _PARTS or stem in _WHOLE:
                self._piece(word, stem, event)
            case _:
                pass

    def close(self, item: Json) -> None:
        kind = item["type"]
        for key in _CONSTANT:
            demand(item.get(key) == self._added.get(key), f"{key} changed between added and done of {self.id}")
        order = "" if kind in _BARE or _deletes(item) else _ORDER.get(kind)
        demand(order is not None, f"no grammar for {kind}")
        # A hosted call that was cut off stops anywhere on its way, and some have no event that says they failed.
        stopped = item.get("status") == "incomplete" or (item.get("status") == "failed" and kind in _NEVER_FAILED)
        demand(not stopped or "completed " not in self._words, f"{kind} is completed, and {item.get('status')}")
        cut = stopped and ((order or "").startswith("in_progress") or kind == "shell_call_output")
        legal = regex.fullmatch(order or "", self._words, partial=cut)
        demand(bool(legal), f"events of {kind}: {self._words or 'none'}")
        demand(item.get("status") in _ENDED, f"{kind} is done with status {item.get('status')}")
        unchanged = item == self._added | {key: item[key] for key in ("status",) if key in item}
        demand(kind not in _UNCHANGED or unchanged, f"{kind} changed between added and done")
        self._adds_up(item)

    def _index(self, word: str, event: Json) -> None:
        of_command = "out" if word.startswith("out") else "cmd"
        for key, group in (("content_index", "part"), ("summary_index", "sum"), ("command_index", of_command)):
            if key in event:
                expected = len(self._parts[group])
                demand(event[key] == expected, f"{word}: {key} is {event[key]}, not {expected}")

    def _bracket(self, word: str, part: Json) -> None:
        if not word.endswith("!"):
            self._text, self._tokens, self._notes, self._part = "", [], [], part
            zero = {"output_text": ("text", "annotations"), "refusal": ("refusal",)}.get(part["type"], ("text",))
            demand(all(not part[key] for key in zero), f"a part is added with content: {part}")
            return
        demand(part["type"] == self._part.get("type"), f"{part['type']} ends {self._part.get('type')}")
        if part["type"] == "output_text":
            demand(part["annotations"] == self._notes, "annotations of the part are not those announced")
            tokens = [entry["token"] for entry in part.get("logprobs") or ()]
            demand(tokens == self._tokens, "logprobs of the part are not those of the deltas")
        demand(part["refusal" if part["type"] == "refusal" else "text"] == self._text, "the part is not its deltas")
        self._parts[word[:-1]].append(part)

    def _piece(self, word: str, stem: str, event: Json) -> None:
        if stem in _PARTS:
            demand(self._part.get("type") == _PARTS[stem][1], f"{word} in a part of {self._part.get('type')}")
        tokens = [entry["token"] for entry in event.get("logprobs") or ()]
        if not word.endswith("!"):
            self._text += event["delta"]
            self._tokens += tokens
            return
        key = _PARTS.get(stem, _WHOLE.get(stem))
        assert key
        demand(event[key[0]] == self._text, f"{word}: {event[key[0]]!r} is not its deltas {self._text!r}")
        demand(tokens == (self._tokens if stem == "text" else []), f"{word}: logprobs are not those of the deltas")
        if "name" in event and stem == "args":
            demand(event["name"] == self._added["name"], "arguments are done for another name")
        if stem in _WHOLE:
            self._whole[stem], self._text = self._text, ""

    def _command(self, word: str, event: Json) -> None:
        match word:
            case "cmd+":
                self._text = ""
                demand(event["command"] == "", "a command is added with text")
            case "cmd":
                self._text += event["delta"]
            case _:
                demand(event["command"] == self._text, "the command is not its deltas")
                self._parts["cmd"].append(event["command"])

    def _adds_up(self, item: Json) -> None:
        for stem, text in self._whole.items():
            value: Any = item
            for key in _WHOLE[stem][1]:
                value = value[key]
            demand(value == text, f"{item['type']} is done with {json.dumps(value)}, its events said {text!r}")
        kind, parts = item["type"], self._parts
        if kind in ("message", "reasoning"):
            demand((item.get("content") or []) == parts["part"], f"{kind}: content is not the parts announced")
        if kind == "reasoning":
            demand(item["summary"] == parts["sum"], "the summary is not the parts announced")
        if kind == "shell_call_output" and item["status"] == "completed":
            demand(item["output"] == parts["out"], "the outputs are not those announced")
        if kind == "shell_call":
            demand(item["action"]["commands"] == parts["cmd"], "the commands are not those announced")
