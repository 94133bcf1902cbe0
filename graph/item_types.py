"""In what types of items differ while they are made. Source: CONTRACT of the Responses API, "Item bodies"."""

#: Item types that carry no status of their own.
WITHOUT_STATUS = frozenset({"reasoning", "mcp_list_tools", "mcp_approval_request", "compaction"})
#: Item type → the statuses it may show while it is being made, besides `in_progress`.
PHASES = {
    "mcp_call": {"calling"},
    "web_search_call": {"searching"},
    "file_search_call": {"searching"},
    "code_interpreter_call": {"interpreting"},
    "image_generation_call": {"generating"},
}
#: Event that says an item's arguments or code to their end → its field.
WHOLE = {"mcp_call_arguments.done": "arguments", "code_interpreter_call_code.done": "code"}
#: Types that have an event for failing; of the others only the status says it.
WITH_FAILED = frozenset({"mcp_call", "mcp_list_tools"})
#: Events that do not say which item they are of begin with it.
NAMELESS = "shell_call_command"
#: Hosted calls of which nothing is said between `added` and `done`.
WITHOUT_PHASES = frozenset({"tool_search_call", "shell_call"})
