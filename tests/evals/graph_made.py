"""Small graphs that tests evaluate: their model says what the last message asks for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.runtime import Runtime
from langgraph.types import interrupt

Json = dict[str, Any]
USAGE = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}


class State(MessagesState):
    asked: int


@dataclass
class Voice:
    """What requests may set."""

    temperature: float = 0


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def model(state: State, config: RunnableConfig, runtime: Runtime[Voice]) -> Json:
    last, count = state["messages"][-1], state.get("asked", 0) + 1
    asked, _, rest = last.text.partition(" ")
    said = AIMessage(f"{len(state['messages'])}: {last.text}", usage_metadata=USAGE)
    match asked:
        case "add" | "fetch" | "ship" if last.type == "human":
            named = {"name": asked, "id": f"call_{count}", "type": "tool_call"}
            said = AIMessage("", tool_calls=[{**named, "args": {"a": 1, "b": int(rest or 0)}}], usage_metadata=USAGE)
        case "fail":
            raise RuntimeError("The fuse is wet.")
        case "again":
            return {"messages": [*state["messages"], said]}
        case "voice":
            said = AIMessage(f"{runtime.context.temperature} {config['configurable']['model']}")
        case "stream":
            said = GenericFakeChatModel(messages=iter([AIMessage("one two three")])).invoke("x", config)
    return {"messages": [said], "asked": count}


def approve(state: State) -> Json:
    """As LangChain's middleware asks for approvals."""
    call = state["messages"][-1].tool_calls[0]
    asked = {"action_requests": [{"name": call["name"], "args": call["args"]}], "review_configs": []}
    decided = interrupt(asked)["decisions"][0]["type"]
    status = "success" if decided == "approve" else "error"
    return {"messages": [ToolMessage(decided, tool_call_id=call["id"], status=status)]}


def ask(state: State) -> Json:
    return {"messages": [AIMessage(f"You said {interrupt({'how': 'many'})!r}.")]}


def way(state: State) -> str:
    last = state["messages"][-1]
    called = last.tool_calls[0]["name"] if last.tool_calls else ""
    return {"add": "tools", "ship": "approve"}.get(called) or ("ask" if last.text.endswith("ask") else "__end__")


builder = StateGraph(State, context_schema=Voice)
builder.add_node(model).add_node("tools", ToolNode([add])).add_node(approve).add_node(ask)
builder.add_edge(START, "model").add_conditional_edges("model", way, ["tools", "approve", "ask", "__end__"])
builder.add_edge("tools", "model").add_edge("approve", "model")
graph = builder.compile()
number = 42
wordless = StateGraph(dict).add_node("one", lambda state: state).add_edge(START, "one").compile()


@asynccontextmanager
async def opened(config: Json) -> AsyncIterator[Any]:
    yield graph


def made() -> Any:
    return builder
