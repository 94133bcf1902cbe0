"""A `file_search` tool as callers declare it: what it must say, and how it is echoed.

Source: CONTRACT of the Responses API, "file_search"; openai.types.responses.FileSearchTool.
"""

from typing import Any, cast

from graph import filters
from graph.errors import Json, RequestError
from nodes.file_search.fusion import Ranking, Weights

RANKERS = ("auto", "default-2024-11-15")
_STORES, _RESULTS = 20, 50
_DEFAULT_RESULTS = 20


def checked(tool: Json, param: str) -> Json:
    """The declaration with its defaults. Raises `RequestError` at or below `param`."""
    ids: Any = tool.get("vector_store_ids")
    where = f"{param}.vector_store_ids"
    if ids is None:
        raise RequestError(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    if not isinstance(ids, list):
        raise _type(where, "an array")
    if not ids or len(cast(list[Any], ids)) > _STORES:
        raise _invalid(f"Invalid '{where}': expected between 1 and {_STORES} ids.", where)
    for at, id in enumerate(cast(list[Any], ids)):
        if not isinstance(id, str):
            raise _type(f"{where}[{at}]", "a string")
    if tool.get("filters") is not None:
        filters.check(tool["filters"], f"{param}.filters")
    return {
        "type": "file_search",
        "filters": tool.get("filters"),
        "max_num_results": results(tool.get("max_num_results"), f"{param}.max_num_results", _DEFAULT_RESULTS),
        "ranking_options": _ranking_options(tool.get("ranking_options"), f"{param}.ranking_options"),
        "vector_store_ids": ids,
    }


def results(given: Any, param: str, default: int) -> int:
    """How many results may be given back."""
    if given is None:
        return default
    if not isinstance(given, int) or isinstance(given, bool):
        raise _type(param, "an integer")
    if given < 1:
        message = f"Invalid '{param}': integer below minimum value. Expected a value >= 1, but got {given} instead."
        raise RequestError(message, param=param, code="integer_below_min_value")
    if given > _RESULTS:
        message = f"Invalid '{param}': integer above maximum value. Expected a value <= {_RESULTS}, but got {given}."
        raise RequestError(message, param=param, code="integer_above_max_value")
    return given


def ranking(given: Any, param: str, rankers: tuple[str, ...] = RANKERS) -> Ranking:
    """`ranking_options` as they are followed. Raises `RequestError` at or below `param`."""
    if given is None:
        return Ranking()
    if not isinstance(given, dict):
        raise _type(param, "an object")
    options = cast(Json, given)
    ranker = options.get("ranker")
    if ranker is not None and ranker not in rankers:
        names = ", ".join(f"'{name}'" for name in rankers)
        raise _invalid(f"Invalid value: {str(ranker)[:100]!r}. Supported values are: {names}.", f"{param}.ranker")
    threshold = _number(options.get("score_threshold"), f"{param}.score_threshold", 0.0)
    return Ranking(_weights(options.get("hybrid_search"), f"{param}.hybrid_search"), threshold, ranker != "none")


def _weights(given: Any, param: str) -> Weights:
    if given is None:
        return Weights()
    if not isinstance(given, dict):
        raise _type(param, "an object")
    both = cast(Json, given)
    names = ("embedding_weight", "text_weight")
    for name in names:
        if both.get(name) is None:
            where = f"{param}.{name}"
            message = f"Missing required parameter: '{where}'."
            raise RequestError(message, param=where, code="missing_required_parameter")
    weights = Weights(*(_number(both[name], f"{param}.{name}", 0.0, most=1e6) for name in names))
    if not any(weights):
        raise _invalid(f"Invalid '{param}': one of the weights must be greater than 0.", param)
    return weights


def _ranking_options(given: Any, param: str) -> Json:
    ranking(given, param)
    said = {key: value for key, value in cast(Json, given or {}).items() if value is not None}
    return {"ranker": "auto", "score_threshold": 0.0, **said}


def _number(given: Any, param: str, default: float, most: float = 1.0) -> float:
    if given is None:
        return default
    if not isinstance(given, int | float) or isinstance(given, bool):
        raise _type(param, "a number")
    if given < 0:
        message = f"Invalid '{param}': decimal below minimum value. Expected a value >= 0, but got {given} instead."
        raise RequestError(message, param=param, code="decimal_below_min_value")
    if given > most:
        message = f"Invalid '{param}': decimal above maximum value. Expected a value <= {most:g}, but got {given}."
        raise RequestError(message, param=param, code="decimal_above_max_value")
    return float(given)


def _type(param: str, wanted: str) -> RequestError:
    return RequestError(f"Invalid type for '{param}': expected {wanted}.", param=param, code="invalid_type")


def _invalid(message: str, param: str) -> RequestError:
    return RequestError(message, param=param, code="invalid_value")
