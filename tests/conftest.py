"""What every test stands on: a scripted model server, a server of ours, and a client whose wire is watched."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI

from checkpoints import STORES
from tests.process import Server
from tests.recorder import AsyncRecordingTransport, Recorder, RecordingTransport
from tests.store_graph import Caller, opened
from tests.upstream import Script, Upstream

TIMEOUT_S = 30.0
SIGNS_OF_BUGS = ("Traceback", "Warning:", "never awaited", "never retrieved", "was destroyed but it is pending")
StartServer = Callable[..., Server]
Json = dict[str, Any]
Tell = Callable[..., list[Json]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "promise(*ids): the promises of tests/contract.py this test holds us to")


def check_log(said: str) -> None:
    """Nothing in a server's log tells of a bug."""
    assert not [sign for sign in SIGNS_OF_BUGS if sign in said], said


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show the server's log of the test beside its failure."""
    report = yield
    watched: tuple[Server, int] | None = getattr(item, "watched", None)
    if report.failed and watched:
        report.sections.append(("server log", watched[0].log(watched[1])[-8000:]))
    return report


@pytest.fixture(scope="session")
def upstream(request: pytest.FixtureRequest) -> Iterator[Upstream]:
    server = Upstream().start()
    for at in range(len(request.session.items)):
        server.on(f"model-{at}")  # one name for each test, there before anyone asks for the list
    yield server
    server.stop()


@pytest.fixture(scope="session")
def server(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server all tests share."""
    ours = Server(tmp_path_factory.mktemp("server"), upstream.url).start()
    yield ours
    ours.stop()


@pytest.fixture(scope="session")
def browsing(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose browsers may open pages of this machine: a Chromium costs more than all else a test does."""
    ours = Server(tmp_path_factory.mktemp("browsing"), upstream.url, GRAPHNEXUS_BROWSER_ALLOWED_HOSTS="127.0.0.1")
    yield ours.start()
    assert ours.stop() == 0
    check_log(ours.log())


@pytest.fixture
def start_server(upstream: Upstream, tmp_path: Path) -> Iterator[StartServer]:
    """Start a server of the test's own: `start_server("--flag", NAME="environment")`."""
    started: list[Server] = []

    def start(*flags: str, upstream_url: str | None = None, **environment: str) -> Server:
        ours = Server(tmp_path / f"server-{len(started)}", upstream_url or upstream.url, *flags, **environment)
        started.append(ours)
        return ours.start()

    yield start
    for ours in started:
        ours.kill()
        check_log(ours.log())


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Whatever went over the wire in this test is legal: streams, responses, errors, headers."""
    watching = Recorder()
    yield watching
    watching.check()


@pytest.fixture
def log_watch(request: pytest.FixtureRequest, server: Server) -> Iterator[None]:
    """The server logs no traceback while the test runs."""
    before = server.log_size()
    request.node.watched = (server, before)
    yield
    check_log(server.log(before))


@pytest.fixture
def http(server: Server, recorder: Recorder, log_watch: None) -> Iterator[httpx2.Client]:
    """Bare HTTP to the server, for what the openai client would not send."""
    with httpx2.Client(base_url=server.url, transport=RecordingTransport(recorder), timeout=TIMEOUT_S) as plain:
        yield plain


@pytest.fixture
def client(server: Server, recorder: Recorder, log_watch: None) -> Iterator[OpenAI]:
    with client_of(server, recorder) as bound:
        yield bound


@pytest.fixture
async def async_client(server: Server, recorder: Recorder, log_watch: None) -> AsyncIterator[AsyncOpenAI]:
    plain = httpx2.AsyncClient(transport=AsyncRecordingTransport(recorder), timeout=TIMEOUT_S)
    async with AsyncOpenAI(base_url=server.url, api_key="sk-test", max_retries=0, http_client=plain) as bound:
        yield bound


def client_of(server: Server, recorder: Recorder) -> OpenAI:
    """The openai client on a server, its wire watched."""
    plain = httpx2.Client(transport=RecordingTransport(recorder), timeout=TIMEOUT_S)
    return OpenAI(base_url=server.url, api_key="sk-test", max_retries=0, http_client=plain)


_names = iter(range(1_000_000))


@pytest.fixture
def script(upstream: Upstream) -> Iterator[Script]:
    """What the model of this test will say; every line has been asked for at the end, and no other."""
    mine = upstream.on(f"model-{next(_names)}")
    yield mine
    assert not mine.left, f"{mine.left} lines of the script were never asked for"
    assert not mine.overrun, f"the model was asked {mine.overrun} times more than the script has lines"


@pytest.fixture
def model(script: Script) -> str:
    return script.model


@pytest.fixture
def tell(http: httpx2.Client, recorder: Recorder, model: str) -> Tell:
    """Ask for a stream and read it to its end: `tell(input="hi")` gives its events."""

    def ask(**body: Any) -> list[Json]:
        answer = http.post("/responses", json={"model": model, "stream": True, **body})
        assert answer.status_code == 200, answer.text
        return recorder.last.grammar().events

    return ask


@pytest.fixture(params=STORES)
def name(request: pytest.FixtureRequest) -> str:
    """Each kind of store in turn."""
    return request.param


@pytest.fixture
async def caller(name: str, tmp_path: Path) -> AsyncIterator[Caller]:
    """A store with a graph that runs on it."""
    async with opened(name, tmp_path / "store.db") as caller:
        yield caller
