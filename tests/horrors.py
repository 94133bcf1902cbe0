"""Requests nobody should send, and somebody will."""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
DEEP = "[" * 100_000 + "]" * 100_000
NESTED: Any = "x"
for _ in range(400):
    NESTED = {"a": NESTED}
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"hello",
    "half JSON": b'{"model": "m", "input": "q',
    "a list": b"[]",
    "a text": b'"q"',
    "null": b"null",
    "invalid UTF-8": b'{"model": "m", "input": "\xff\xfe"}',
    "UTF-16": '{"model": "m", "input": "q"}'.encode("utf-16"),
    "deep lists": DEEP.encode(),
    "deep input": b'{"model": "m", "input": ' + DEEP.encode() + b"}",
    "NaN": b'{"model": "m", "input": "q", "temperature": NaN}',
    "infinity": b'{"model": "m", "input": "q", "temperature": 1e999}',
    "a huge number": b'{"model": "m", "input": "q", "max_output_tokens": 1' + b"0" * 5000 + b"}",
    "null byte": b'{"model": "m\x00", "input": "q"}',
    "form": b"model=m&input=q",
}


def horrors(model: str) -> Iterator[tuple[str, Json]]:
    """Requests that are odd but may be meant; each may be answered or refused, but never breaks anything."""
    ten_mb = "x" * 10_000_000
    message: Json = {"role": "user", "content": "q"}
    yield "10 MB of text", {"input": ten_mb}
    yield "11 MB of text", {"input": ten_mb + "x" * 1_000_000}
    yield "10 MB of instructions", {"input": "q", "instructions": ten_mb}
    yield "10 MB of metadata", {"input": "q", "metadata": {"k": ten_mb}}
    yield "a key of 10 MB", {"input": "q", ten_mb: 1}
    yield "10,000 items", {"input": [message] * 10_000}
    yield "10,000 parts", {"input": [{"role": "user", "content": [{"type": "input_text", "text": "q"}] * 10_000}]}
    yield "10,000 tools", {"input": "q", "tools": [{"type": "function", "name": f"f{n}"} for n in range(10_000)]}
    yield "two tools of one name", {"input": "q", "tools": [{"type": "function", "name": "f"}] * 2}
    yield "deep metadata", {"input": "q", "metadata": NESTED}
    yield "a deep schema", {"input": "q", "tools": [{"type": "function", "name": "f", "parameters": NESTED}]}
    yield "a deep format", {"input": "q", "text": {"format": {"type": "json_schema", "name": "x", "schema": NESTED}}}
    yield "a deep extra", {"input": "q", "extra": NESTED}
    yield "null bytes", {"input": "a\x00b", "instructions": "\x00", "metadata": {"k\x00": "v\x00"}, "user": "\x00"}
    yield "null bytes in items", {"input": [{"role": "user", "id": "msg_\x00", "content": "a\x00"}]}
    yield "lone surrogates", {"input": "a\ud800b", "metadata": {"k": "\udfff"}, "instructions": "\ud83d"}
    yield "lone surrogates in keys", {"input": "q", "metadata": {"\ud800": "v"}, "\ud800": 1}
    yield "odd spaces", {"input": "\u2028\u2029\x85\ufeff\u202e"}
    yield "empty input", {"input": ""}
    yield "no items", {"input": []}
    yield "an empty message", {"input": [{"role": "user", "content": []}]}
    yield "an id used twice", {"input": [{**message, "id": "msg_1"}, {**message, "id": "msg_1"}]}
    yield "a foreign id", {"input": [{**message, "id": "../../etc/passwd"}]}
    yield "a very long id", {"input": [{**message, "id": "msg_" + "x" * 100_000}]}
    yield "a recursive schema", {"input": "q", "tools": [
        {"type": "function", "name": "f", "parameters": {"$ref": "#"}}]}  # fmt: skip
    yield "a remote schema", {"input": "q", "text": {"format": {
        "type": "json_schema", "name": "x", "schema": {"$ref": "http://127.0.0.1:9/x.json"}}}}  # fmt: skip
    yield "a broken data URL", {"input": [
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,%%%"}]}]}  # fmt: skip
    yield "a local file", {"input": [
        {"role": "user", "content": [{"type": "input_image", "image_url": "file:///etc/passwd"}]}]}  # fmt: skip
    yield "a file id nobody has", {"input": [
        {"role": "user", "content": [{"type": "input_file", "file_id": "file-x"}]}]}  # fmt: skip
    yield "an image without source", {"input": [{"role": "user", "content": [{"type": "input_image"}]}]}
    yield "a huge integer", {"input": "q", "max_output_tokens": 10**30}
    yield "a model of 1 MB", {"input": "q", "model": "m" * 1_000_000}
    yield "a compaction nobody made", {"input": [{"type": "compaction", "encrypted_content": "x"}, message]}
    yield "an approval of nothing", {"input": [
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_x", "approve": True}, message]}  # fmt: skip
    yield "a call whose output comes first", {"input": [
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]}  # fmt: skip
    yield "two outputs of one call", {"input": [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        *[{"type": "function_call_output", "call_id": "c", "output": "1"}] * 2]}  # fmt: skip
    yield "a call with broken arguments", {"input": [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"},
        {"type": "function_call_output", "call_id": "c", "output": "1"}]}  # fmt: skip
    yield "a prompt template", {"input": "q", "prompt": {"id": "pmpt_x"}}
    yield "background", {"input": "q", "background": True, "store": False, "stream": False}


RICH: Json = {
    "instructions": "Be brief.", "max_output_tokens": 50, "max_tool_calls": 3, "metadata": {"k": "v"}, "store": True,
    "parallel_tool_calls": True, "previous_response_id": None, "conversation": None, "temperature": 1.0, "top_p": 1.0,
    "truncation": "auto", "reasoning": {"effort": "low", "summary": None, "context": "auto"}, "include": [],
    "text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}, "verbosity": "low"},
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    "context_management": [{"type": "compaction", "compact_threshold": 100000}], "stream_options": None,
    "tools": [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": False},
        {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /./"}},
        {"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "function", "name": "g"}]},
        {"type": "shell", "environment": {"type": "local"}}, {"type": "local_shell"}, {"type": "apply_patch"},
        {"type": "computer_use_preview", "display_width": 1, "display_height": 1, "environment": "linux"},
        {"type": "tool_search", "execution": "client", "description": "d", "parameters": {"type": "object"}},
    ],
    "input": [
        {"role": "developer", "content": "a"},
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "b"},
            {"type": "input_image", "image_url": "data:image/gif;base64,R0lG", "detail": "auto"},
            {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGk="}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}],
         "content": [{"type": "reasoning_text", "text": "t"}], "encrypted_content": "x"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "id": "fc_1", "namespace": None},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "o"}]},
        {"type": "custom_tool_call", "call_id": "c2", "name": "c", "input": "i"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "o"},
        {"type": "shell_call", "call_id": "c3", "action": {"commands": ["ls"], "timeout_ms": 1}},
        {"type": "shell_call_output", "call_id": "c3", "output": [
            {"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]},
        {"type": "local_shell_call", "id": "l", "call_id": "c4", "status": "completed",
         "action": {"type": "exec", "command": ["ls"], "env": {}}},
        {"type": "local_shell_call_output", "id": "c4", "output": "{}"},
        {"type": "apply_patch_call", "call_id": "c5", "status": "completed",
         "operation": {"type": "create_file", "path": "a", "diff": "d"}},
        {"type": "apply_patch_call_output", "call_id": "c5", "status": "completed", "output": "o"},
        {"type": "computer_call", "id": "cu_1", "call_id": "c6", "status": "completed", "pending_safety_checks": [],
         "action": {"type": "click", "x": 1, "y": 2, "button": "left"}},
        {"type": "computer_call_output", "call_id": "c6",
         "output": {"type": "computer_screenshot", "image_url": "data:image/gif;base64,R0lG"}},
        {"type": "tool_search_call", "call_id": "c7", "arguments": {"q": "x"}, "execution": "client"},
        {"type": "tool_search_output", "call_id": "c7", "tools": [{"type": "function", "name": "h"}]},
        {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "s", "tools": [{"name": "t", "input_schema": {}}]},
        {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "t", "arguments": "{}", "output": "o"},
        {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "s", "name": "t", "arguments": "{}"},
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "k"}]},
        {"type": "configuration_update", "reasoning": {"effort": "low"}},
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"},
        {"type": "message", "role": "assistant", "phase": "commentary", "content": [
            {"type": "output_text", "text": "x", "annotations": [], "logprobs": []}]},
        {"role": "user", "content": "last"},
    ],
}  # fmt: skip
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "x", "\x00", "\ud800", "resp_x", "conv_x", "file-x", "data:,", "http://127.0.0.1:9/"]),
    st.sampled_from([[], {}, [None], [[]], [{}], {"": None}, {"type": None}, {"type": "function"}, [1, "a"]]),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a value, the containers among them."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))
