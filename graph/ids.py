"""Ids as the contract spells them; an item's id begins with the seed of the response that made it.

`resp_<seed><16 hex>` makes `msg_<seed><16 hex>`, so an item is found through its response without an index.
Source: CONTRACT of the Responses API, "IDs".
"""

import secrets
import time
from collections.abc import Callable

SEED_LENGTH = 32

#: Item type → id prefix.
PREFIXES = {
    "message": "msg_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
    "reasoning": "rs_",
    "compaction": "cmp_",
    "mcp_list_tools": "mcpl_",
    "mcp_call": "mcp_",
    "mcp_approval_request": "mcpr_",
    "mcp_approval_response": "mcpa_",
    "code_interpreter_call": "ci_",
    "web_search_call": "ws_",
    "file_search_call": "fs_",
    "image_generation_call": "ig_",
    "computer_call": "cu_",
    "computer_call_output": "cuo_",
    "shell_call": "sh_",
    "shell_call_output": "sho_",
    "local_shell_call": "lsh_",
    "local_shell_call_output": "lsho_",
    "apply_patch_call": "apc_",
    "apply_patch_call_output": "apco_",
    "tool_search_call": "tsc_",
    "tool_search_output": "tso_",
    "program": "cm_",
    "program_output": "cmo_",
    "additional_tools": "at_",
    "configuration_update": "cu_",
    "compaction_trigger": "cmpt_",
}


def new_id(prefix: str) -> str:
    """`prefix` and 48 random hex characters."""
    return prefix + secrets.token_hex(24)


def new_call_id() -> str:
    return "call_" + secrets.token_hex(12)


def seed_of(id: str) -> str:
    """The part that a response (or conversation) and its items share."""
    return id.partition("_")[2][:SEED_LENGTH]


def item_ids(parent_id: str) -> Callable[[str], str]:
    """A maker of ids for the items of one response or conversation: item type in, id out."""
    seed = seed_of(parent_id)
    return lambda kind: f"{PREFIXES.get(kind, 'item_')}{seed}{secrets.token_hex(8)}"


def now() -> int:
    """Unix seconds, the contract's only clock."""
    return int(time.time())
