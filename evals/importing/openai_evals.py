"""OpenAI Evals → a suite: the eval with its criteria, a run with its data source, rows or output items.

Graders and templates are said as OpenAI says them, since our graders of these names take the same fields.
Source: `openai.types.eval_create_response`, `openai.types.evals.run_retrieve_response`, `openai.types.graders`
(read 2026-11-23).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evals.importing.found import Imported, needs_judge, plain
from evals.templates import literal
from evals.unfit import Unfit

Json = dict[str, Any]

_GRADERS = ("string_check", "text_similarity", "score_model", "label_model", "python", "multi")
#: Fields of graders that mean nothing here.
_NOT_OURS = frozenset({"image_tag", "id"})
_SAMPLING = ("temperature", "top_p", "max_completions_tokens", "max_completion_tokens", "reasoning_effort")
_OURS = {"max_completions_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens"}


def is_one(documents: Iterable[Json]) -> bool:
    return any(document.get("object") in ("eval", "eval.run") for document in documents)


def imported(documents: list[Json]) -> Imported:
    """`documents`: an eval, at most one run, and rows: `{item}` or output items. Raises `Unfit`."""
    of_kind = {kind: [one for one in documents if one.get("object") == kind] for kind in ("eval", "eval.run")}
    if not of_kind["eval"]:
        raise Unfit('The export has no eval (an object with "object": "eval"): its criteria are there.')
    source = Source(of_kind["eval"][0], of_kind["eval.run"][-1] if of_kind["eval.run"] else {})
    rows = source.mine(documents) or source.content()
    made = Imported(source.suite())
    made.suite["defaults"] = {"graders": list(source.graders(made)), **source.request(made)}
    needs_judge(made, list(_models(source.criteria)))
    made.suite["cases"] = [source.case(number, row) for number, row in enumerate(rows, 1)]
    if not made.suite["cases"]:
        raise Unfit("The export has no rows: name the file of data, or of output items, too.")
    return made


class Source:
    def __init__(self, eval: Json, run: Json) -> None:
        self._eval = eval
        self._run = run
        self._data: Json = run.get("data_source") or {}

    def suite(self) -> Json:
        name = self._eval.get("name") or self._eval.get("id") or "imported"
        model = self._data.get("model") or self._run.get("model")
        return {
            "name": plain(name) or "imported",
            "description": f"Imported from the OpenAI eval {self._eval.get('id') or name}.",
            **({"target": {"model": model}} if model else {}),
        }

    def mine(self, documents: Iterable[Json]) -> list[Json]:
        """Rows, and the output items of this run alone."""
        runs = (None, self._run.get("id")) if self._run else (None,)
        rows = [one for one in documents if one.get("object") not in ("eval", "eval.run")]
        return [one for one in rows if not self._run or one.get("run_id") in runs]

    @property
    def criteria(self) -> list[Json]:
        return list(self._eval.get("testing_criteria") or ())

    def content(self) -> list[Json]:
        """Rows the run brings along."""
        return list((self._data.get("source") or {}).get("content") or ())

    def graders(self, made: Imported) -> Iterator[Json]:
        for at, criterion in enumerate(self.criteria):
            if criterion.get("type") not in _GRADERS:
                made.left.append(f"testing_criteria[{at}]: there is no grader {criterion.get('type')!r}.")
                continue
            yield _said(criterion)

    def request(self, made: Imported) -> Json:
        """Fields of every request."""
        given: Json = self._data.get("sampling_params") or {}
        request = {_OURS.get(name, name): given[name] for name in _SAMPLING if given.get(name) is not None}
        if effort := request.pop("reasoning_effort", None):
            request["reasoning"] = {"effort": effort}
        for name in ("tools", "text"):
            if given.get(name):
                request[name] = given[name]
        for name in set(given) - {*_SAMPLING, "tools", "text", "seed"}:
            made.left.append(f"data_source.sampling_params.{name}: there is nothing like it in a request.")
        return {"request": request} if request else {}

    def case(self, number: int, row: Json) -> Json:
        item: Json = row.get("datasource_item") or row.get("item") or {}
        item = item["item"] if isinstance(item.get("item"), dict) else item
        id = f"row {row.get('datasource_item_id', number)}"
        return {"id": id, "item": item, "input": self._input(row, item)}

    def _input(self, row: Json, item: Json) -> Any:
        messages: Json = self._data.get("input_messages") or {}
        if template := messages.get("template"):
            return [_message(one) for one in template]
        if reference := messages.get("item_reference"):
            found = literal(_at({"item": item}, reference))
            return [_message(one) for one in found] if isinstance(found, list) else found
        if sampled := (row.get("sample") or {}).get("input"):
            return literal([_message(one) for one in sampled])
        if self._data.get("type") == "jsonl":
            raise Unfit("The run grades answers that are in its rows (a data source 'jsonl'): nobody is asked in it.")
        raise Unfit("The export does not say what was asked: name the file of its run, or of its output items, too.")


def _said(grader: Any) -> Any:
    """As it is, those within it, too, without what is null or means nothing here."""
    if isinstance(grader, list):
        return [_said(one) for one in grader]
    if not isinstance(grader, dict):
        return grader
    return {key: _said(value) for key, value in grader.items() if key not in _NOT_OURS and value is not None}


def _message(given: Json) -> Json:
    """Its content as text, or as the parts it was. Raises `Unfit`."""
    content = given.get("content")
    if "role" not in given or content is None:
        raise Unfit(f"A message of the export has no role or content: {str(given)[:80]}.")
    if isinstance(content, dict):
        content = content.get("text", [content])
    return {"role": given["role"], "content": content}


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            raise Unfit(f"A row has nothing at {path!r}, where its input is to be.")
        value = value[step]
    return value


def _models(criteria: Iterable[Json]) -> Iterator[str]:
    return (one["model"] for one in criteria if one.get("model"))
