"""Servers on one database, a model server and tools; cells of the matrix are run in it one after another."""

import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.faults.control import Control
from tests.faults.database import Database, holding, opened
from tests.faults.point import Hold, OutsideHold, Point, StoreHold
from tests.faults.replica import Replica
from tests.faults.scene import Scene
from tests.faults.stops import Stops
from tests.faults.tools import CANARY, Tools
from tests.upstream import Upstream

Json = dict[str, Any]
LEASE_S = 1.5
GRACE_S = 1.0


@dataclass(frozen=True, slots=True)
class World:
    """What is different: the lease, and the environment of either server."""

    lease_s: float = LEASE_S
    first: dict[str, str] = field(default_factory=dict[str, str])
    second: dict[str, str] = field(default_factory=dict[str, str])


class Arena:
    """`servers` share `database`; with SQLite there is one, with PostgreSQL there are two."""

    def __init__(self, kind: str, directory: Path, world: World) -> None:
        """`kind`: `sqlite`, `postgresql` for a server of its own, `shared` for the one that all tests share."""
        self._directory = directory
        self._lease_s = world.lease_s
        self.control = Control()
        self.stops = Stops()
        self.tools = Tools(self.stops).start()
        self.upstream = Upstream().start()
        self.upstream.on("model")
        self.database: Database = opened(kind, directory)
        self.servers = [self._replica(directory / "a", **world.first)]
        if self.database.url:
            self.servers.append(self._replica(directory / "b", **world.second))
        self._plain = httpx2.Client(timeout=20)
        self._key = secrets.token_hex(16)

    def start(self) -> None:
        for server in self.servers:
            server.start()

    def close(self) -> None:
        for server in self.servers:
            if server.lives:
                server.wake()
                server.kill()
        self.upstream.stop()
        self.tools.stop()
        self.control.close()
        self._plain.close()
        self.database.close()

    def _replica(self, directory: Path, **different: str) -> Replica:
        settings = {
            "FAULTS_PORT": str(self.control.port),
            "GRAPHNEXUS_LEASE_S": str(self._lease_s),
            "GRAPHNEXUS_MCP_LIST_TTL_S": "0",
            "GRAPHNEXUS_SHUTDOWN_GRACE_S": str(GRACE_S),
            "GRAPHNEXUS_SECRET_KEY": "0123456789abcdef0123456789abcdef",
        }
        if self.database.url:
            settings["GRAPHNEXUS_DATABASE_URL"] = self.database.url
        return Replica(directory, self.upstream.url, **{**settings, **different})

    # ------------------------------------------------------------ a cell

    def scene(self) -> Scene:
        return Scene(f"key-{secrets.token_hex(4)}", self.upstream.on("model"), self.stops, self.tools)

    def arm(self, point: Point) -> Hold:
        return StoreHold(self.control, point) if point.when else OutsideHold(self.control, self.stops, point)

    def server(self, pid: int) -> Replica:
        return next(server for server in self.servers if server.pid == pid)

    def mend(self) -> None:
        """Everything as it was before a fault."""
        self.stops.disarm()
        self.control.tell({"arm": None})
        self.control.tell({"go": True})
        for server in self.servers:
            if server.lives:
                server.wake()
            server.revive()

    # ------------------------------------------------------------ asking

    def post(self, path: str, body: Json, server: Replica | None = None) -> Json:
        answer = self._plain.post(f"{(server or self.servers[0]).url}{path}", json=body)
        assert answer.status_code == 200, f"POST {path} answered {answer.status_code}: {answer.text[:500]}"
        return answer.json()

    def get(self, path: str, server: Replica | None = None) -> Json:
        answer = self._plain.get(f"{(server or self.servers[0]).url}{path}")
        assert answer.status_code == 200, f"GET {path} answered {answer.status_code}: {answer.text[:500]}"
        return answer.json()

    def replay(self, response_id: str, server: Replica) -> bytes:
        """The whole stream once more."""
        answer = self._plain.get(f"{server.url}/responses/{response_id}?stream=true")
        assert answer.status_code == 200, f"replay answered {answer.status_code}: {answer.text[:500]}"
        return answer.content

    def say(self, **fields: Any) -> Json:
        """A short response, whole."""
        self.upstream.on("model").always(self.scene().line)
        return self.post("/responses", {"model": "model", "input": "Hello.", **fields})

    # ------------------------------------------------------------ what is left in the database

    def left_over(self, limit_s: float) -> list[str]:
        """What should not be there once every response has ended; waits for it to go."""
        until = time.monotonic() + limit_s
        while found := self._left_over():
            if time.monotonic() > until:
                return found
            time.sleep(0.1)
        return []

    def told_on(self) -> list[str]:
        """Files of the servers and of the database that hold what callers showed in confidence."""
        kept = {*holding(self._directory, CANARY), *holding(self.database.directory, CANARY)}
        return [str(path) for path in kept]

    def _left_over(self) -> list[str]:
        questions = {
            "runs": "SELECT response_id, worker, epoch FROM run",
            "unfinished": "SELECT id, status FROM response WHERE status IN ('queued', 'in_progress')",
            "locks": "SELECT id, holder FROM conversation WHERE holder IS NOT NULL",
            "begun calls": "SELECT response_id, item_id FROM started_call",
        }
        answers = {what: self.database.ask(sql) for what, sql in questions.items()}
        return [f"{what} left over: {rows}" for what, rows in answers.items() if rows]


@contextmanager
def arena(kind: str, directory: Path, world: World | None = None) -> Generator[Arena]:
    here = Arena(kind, directory, world or World())
    try:
        here.start()
        yield here
    finally:
        here.close()
