"""Files put into vector stores, as tests put them there and look at what became of them."""

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from openai import OpenAI
from openai.types.vector_stores import VectorStoreFile

from tests.process import Server

Contents = Mapping[str, bytes]


def uploaded(client: OpenAI, name: str, content: bytes) -> str:
    return client.files.create(file=(name, content), purpose="assistants").id


def put(client: OpenAI, contents: Contents) -> tuple[str, dict[str, str]]:
    """A store of its own with these files; its id, and the files' by name."""
    ids = {name: uploaded(client, name, content) for name, content in contents.items()}
    store = client.vector_stores.create(name="a store")
    client.vector_stores.file_batches.create(store.id, file_ids=list(ids.values()))
    return store.id, ids


def settled(client: OpenAI, store_id: str, limit_s: float = 60) -> dict[str, VectorStoreFile]:
    """The files of a store by id, once none of them is in progress."""
    until = time.monotonic() + limit_s
    while client.vector_stores.retrieve(store_id).file_counts.in_progress:
        assert time.monotonic() < until, f"{store_id} still waits"
        time.sleep(0.03)
    return {file.id: file for file in client.vector_stores.files.list(store_id, limit=100)}


def text_of(client: OpenAI, store_id: str, file_id: str) -> str:
    """What searches see of it."""
    return "".join(part.text or "" for part in client.vector_stores.files.content(file_id, vector_store_id=store_id))


def found(client: OpenAI, store_id: str, query: str) -> list[str]:
    """Names of files, the best first."""
    return [hit.filename for hit in client.vector_stores.search(store_id, query=query)]


def rows(server: Server, sql: str) -> list[Any]:
    """What is in the database of a server that is alone."""
    with closing(sqlite3.connect(server.data_dir / "kept" / "graphnexus.db")) as database:
        return database.execute(sql).fetchall()


def prose(words: int, seed: str = "w") -> str:
    """No two paragraphs of it are the same."""
    lines = [
        f"{seed}{at} stands in paragraph {at // 40} of what is told here about rivers, bread and machines."
        for at in range(words // 14)
    ]
    return "\n\n".join("\n".join(lines[at : at + 40]) for at in range(0, len(lines), 40))


def children(pid: int, script: str) -> list[int]:
    """Processes of a server that run this script."""
    found = list[int]()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # threads and processes come and go
            children = (task / "children").read_text().split()
            found += [int(one) for one in children if script in Path(f"/proc/{one}/cmdline").read_text()]
    return found
