"""The way that the operator names, seen through the front door."""

import asyncio
from typing import Any

import pytest
from openai import BadRequestError

from nodes.sandbox.landlock import Landlock
from tests.conftest import StartServer, client_of
from tests.contract import promise
from tests.recorder import Recorder
from tests.sandbox.test_landlock import python
from tests.upstream import Script, calls, says

PYTHON: Any = {"type": "code_interpreter", "container": {"type": "auto"}}
OUTPUTS: Any = "code_interpreter_call.outputs"


@promise("ways.named")
def test_without_a_sandbox_the_tool_is_refused_with_the_reason(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    with client_of(start_server(GRAPHNEXUS_SANDBOX="e2b", E2B_API_KEY=""), recorder) as client:
        with pytest.raises(BadRequestError) as refused:
            client.responses.create(model=model, input="q", tools=[PYTHON])
        assert refused.value.code == "sandbox_unavailable"
        assert "e2b: it has no key (setting `e2b_api_key`" in refused.value.message
        script.will(says("fine"))
        assert client.responses.create(model=model, input="q").output_text == "fine"


@promise("ways.named")
def test_the_way_that_is_named_runs_the_code(
    start_server: StartServer, recorder: Recorder, script: Script, model: str
) -> None:
    """By Landlock, whose files have other names: the same is seen of them."""
    if problem := asyncio.run(Landlock().problem()):
        pytest.skip(problem)
    ours = start_server(GRAPHNEXUS_SANDBOX="landlock", GRAPHNEXUS_SANDBOX_PYTHON=python())
    code = "n = open('/mnt/data/made.txt', 'w').write('here')\nimport os\nos.getcwd(), 'NoNewPrivs' in os.environ"
    script.will(calls("code_interpreter", code=code), says("Done."))
    with client_of(ours, recorder) as client:
        made = client.responses.create(model=model, input="q", tools=[PYTHON], include=[OUTPUTS]).to_dict()
        call: Any = made["output"][0]  # type: ignore[index]
        assert call["outputs"] == [{"type": "logs", "logs": "('/mnt/data', False)\n"}]
        [file] = client.containers.files.list(call["container_id"]).data
        assert file.path == "/mnt/data/made.txt"
        assert client.containers.files.content.retrieve(file.id, container_id=call["container_id"]).read() == b"here"
        refused: Any = {"type": "auto", "network_policy": {"type": "allowlist", "allowed_domains": ["example.com"]}}
        with pytest.raises(BadRequestError, match="cannot be given a network"):
            client.responses.create(model=model, input="q", tools=[{**PYTHON, "container": refused}])
