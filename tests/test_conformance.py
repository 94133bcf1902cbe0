"""Every store's saver passes LangGraph's own conformance suite, all of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability

from checkpoints import STORES
from tests.store_graph import place_of


@pytest.mark.parametrize("name", STORES)
async def test_saver_passes_the_whole_conformance_suite(name: str, tmp_path: Path) -> None:
    made = 0

    @checkpointer_test(name=name)
    async def saver() -> AsyncIterator[BaseCheckpointSaver[str]]:
        nonlocal made
        made += 1
        async with STORES[name](place_of(name, tmp_path / f"{made}.db")) as store:
            yield store.saver

    report = await validate(saver)
    failures = {capability: result.failures for capability, result in report.results.items() if result.failures}
    assert failures == {}
    assert {capability for capability, result in report.results.items() if result.passed} == {
        capability.value for capability in Capability
    }
