"""What the built-in model says: the first rule that fits a conversation speaks."""

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from graph.errors import Json

WHO = "I am GraphNexus' built-in demo model: a small set of rules, not a language model"
_FACT = re.compile(r"\b(my|the) ([\w ]{2,30}?) (?:is|are) (?!what|who)([^.,!?\n]+)", re.I)
_CALL_ME = re.compile(r"\b(?:call me|i am called|i'm called) ([^.,!?\n]+)", re.I)
_ASKED = re.compile(
    r"\b(?:what|who|which|tell me|remember|know|recall)\b[^.!?\n]*?"
    r"\b(my|the) ([\w ]{2,30}?)(?: (?:is|are|was))?\s*(?:[?.!]|$)",
    re.I,
)
_SAY = re.compile(
    r"\b(?:say|repeat|echo|reply with|answer with|respond with)\b(?: after me)?(?: exactly)?:?\s+(.+)", re.I | re.S
)
_COUNT = re.compile(r"\bcount (?:from (\d+) )?(?:up )?to (\d+)", re.I)
_EXPRESSION = re.compile(r"[-(]*\d[\d.\s()+*/^%-]*[+*/^%-][\d.\s()+*/^%-]*\d\)*")
_SPELLED = {"plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/", "×": "*", "÷": "/"}
_CALCULATE = re.compile(r"\b(what|calculate|compute|how much|evaluate|solve)\b|=\s*\??$|^[\s\d.()+*/^%?=-]+$", re.I)
_LIMIT = 10**15
#: Of a message; rules look for short sentences.
_READ_CHARS = 1000
_EXPRESSION_CHARS = 200
_OPERATIONS: Mapping[Any, Callable[..., Any]] = {  # pyright: ignore[reportUnknownVariableType] - generic overloads
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Mod: operator.mod, ast.Pow: operator.pow, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation as the rules see it."""

    messages: Sequence[Json]
    tools: Sequence[str] = ()
    users: list[str] = field(init=False)

    def __post_init__(self) -> None:
        users = [text_of(one)[:_READ_CHARS] for one in self.messages if one.get("role") == "user"]
        object.__setattr__(self, "users", users)

    @property
    def last(self) -> str:
        return self.users[-1].strip() if self.users else ""

    @property
    def whole(self) -> str:
        """What the user said last, however long."""
        return next((text_of(one) for one in reversed(self.messages) if one.get("role") == "user"), "")

    @property
    def instructions(self) -> str:
        told = [text_of(one) for one in self.messages if one.get("role") in ("system", "developer")]
        return "\n".join(told).strip()

    @property
    def facts(self) -> dict[str, str]:
        """What the user has told, later words first: `my name` → `Ada`."""
        facts: dict[str, str] = {}
        for text in self.users:
            for found in _FACT.finditer(text):
                facts[f"{found[1]} {found[2]}".lower()] = found[3].strip()
            if called := _CALL_ME.search(text):
                facts["my name"] = called[1].strip()
        return facts


def text_of(message: Json) -> str:
    """The text of a message's content."""
    content = message.get("content")
    if isinstance(content, list):
        parts = cast(list[Json], content)
        return "\n".join(str(part.get("text") or "") for part in parts if part.get("type") == "text")
    return content if isinstance(content, str) else ""


def answer(talk: Talk) -> tuple[str, str]:
    """What to say, and the name of the rule that said it."""
    for rule in (_help, _summary, _recall, _calculate, _count, _earlier, _instructions, _repeat, _learn, _greet):
        if said := rule(talk):
            return said, rule.__name__.strip("_")
    return _otherwise(talk), "otherwise"


def _help(talk: Talk) -> str | None:
    if not re.fullmatch(r"\W*(help|what can you do|who are you|what are you)\W*", talk.last, re.I):
        return None
    tools = f"\nYou offer me: {', '.join(talk.tools)}. Try “use {talk.tools[0]}”." if talk.tools else ""
    return (
        f"{WHO}. The server around me is real, so try:\n"
        "- “My name is Ada.” and, in a later turn, “What is my name?” (state)\n"
        "- “What is (17 + 4) * 2?” (arithmetic)\n"
        "- “Count to 20.” or “Say hello world.” (streaming)\n"
        "- “What did I say first?” or “How many messages did I send?” (history)\n"
        "- “Use <tool> with {\"key\": \"value\"}, then use <other tool>.” with tools in the request\n"
        "- a JSON schema in `text.format`: I fill it with your words\n"
        "- `reasoning: {effort: \"low\"}`: I say what I think\n"
        f"For real answers start the server with `--upstream URL` of a model server.{tools}"
    )  # fmt: skip


def _summary(talk: Talk) -> str | None:
    if "summar" not in talk.last.lower():
        return None
    facts = "; ".join(f"{key} is {value}" for key, value in talk.facts.items())
    said = "; ".join(f"“{text[:80].strip()}”" for text in talk.users[:-1][-20:])
    return f"Summary of the conversation. Facts: {facts or 'none told'}. The user said: {said or 'nothing yet'}."


def _recall(talk: Talk) -> str | None:
    asked = _ASKED.search(talk.last)
    key = "my name" if re.search(r"\bwho am i\b", talk.last, re.I) else ""
    key = f"{asked[1]} {asked[2]}".lower() if asked else key
    if not key or _EXPRESSION.search(talk.last):
        return None
    whose = re.sub(r"^my\b", "Your", key).replace("the ", "The ", 1)
    value = talk.facts.get(key)
    if value:
        return f"{whose} is {value}."
    if not key.startswith("my "):
        return None
    return f"You have not told me your {key[3:]} in this conversation."


def _calculate(talk: Talk) -> str | None:
    text = talk.last
    for word, sign in _SPELLED.items():
        text = re.sub(rf"\s*{re.escape(word)}\s*", sign, text, flags=re.I)
    found = _EXPRESSION.search(text)
    if not found or not _CALCULATE.search(text) or len(found[0]) > _EXPRESSION_CHARS:
        return None
    expression = " ".join(found[0].split())
    try:
        value = _value(ast.parse(expression.replace("^", "**"), mode="eval").body)
    except (ArithmeticError, ValueError, SyntaxError):
        return f"I cannot work out {expression}."
    return f"{expression} = {int(value) if value == int(value) else round(value, 10)}"


def _value(node: ast.AST) -> float:
    """Of an expression of numbers and operators; `ValueError` for what is neither, or too large."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](_value(node.operand))
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATIONS:
        raise ValueError(ast.dump(node))
    left, right = _value(node.left), _value(node.right)
    if isinstance(node.op, ast.Pow) and (abs(right) > 64 or abs(left) > 10_000):
        raise OverflowError(right)
    value = _OPERATIONS[type(node.op)](left, right)
    if isinstance(value, complex) or abs(value) > _LIMIT:
        raise OverflowError(value)
    return value


def _count(talk: Talk) -> str | None:
    found = _COUNT.search(talk.last)
    if not found:
        return None
    first, last = int(found[1] or 1), min(int(found[2][:6]), 2000)
    return " ".join(str(number) for number in range(first, last + 1)) or "There is nothing to count."


def _earlier(talk: Talk) -> str | None:
    text, before = talk.last.lower(), talk.users[:-1]
    if re.search(r"how many (messages|turns|questions)", text):
        return f"This is message number {len(talk.users)} from you in this conversation."
    if not re.search(r"what (did|have|was) .*(i|my).*(say|said|ask|asked|write|message|question|tell|told)", text):
        return None
    if not before:
        return "This is the first thing you have said to me."
    if "first" in text:
        return f"First you said: “{before[0]}”"
    return f"Before this you said: “{before[-1]}”"


def _instructions(talk: Talk) -> str | None:
    if not re.search(r"\b(your|the) (instructions|system prompt)\b", talk.last, re.I):
        return None
    return f"My instructions are: “{talk.instructions}”" if talk.instructions else "I was given no instructions."


def _repeat(talk: Talk) -> str | None:
    found = _SAY.search(talk.whole)
    return found[1].strip().strip("\"“”'") if found else None


def _learn(talk: Talk) -> str | None:
    told = Talk([{"role": "user", "content": talk.last}]).facts
    if not told or talk.last.endswith("?"):
        return None
    if name := told.get("my name"):
        return f"Nice to meet you, {name}. I will know your name for as long as this conversation is kept."
    key, value = next(iter(told.items()))
    return f"Noted: {key.replace('my ', 'your ', 1)} is {value}."


def _greet(talk: Talk) -> str | None:
    if not re.match(r"\W*(hi|hello|hey|good (morning|day|evening)|greetings)\b", talk.last, re.I):
        return None
    name = talk.facts.get("my name")
    return f"Hello{', ' + name if name else ''}! {WHO}. Say “help” to see what I can do."


def _otherwise(talk: Talk) -> str:
    said = talk.last if len(talk.last) <= 200 else talk.last[:200] + "…"
    seen = f"You said: “{said}”" if said else "I see no text in your message"
    return f"{WHO}, and no rule of mine fits this. {seen}. Say “help” to see what I can do."
