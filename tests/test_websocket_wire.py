"""Frames on the wire, and a client that is there but does not read: what no polite client shows."""

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from server.socket import SocketProtocol, framed, texts_of
from tests.contract import promise

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: here\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@promise("websocket.create")
def test_frames_are_read_as_they_were_written() -> None:
    texts = [b"x" * size for size in (0, 1, 125, 126, 127, 65535, 65536, 70000)]
    client = ClientProtocol(parse_uri("ws://here/"), state=State.OPEN, max_size=None)
    client.receive_data(framed(texts))
    frames = [event for event in client.events_received() if isinstance(event, Frame)]
    assert [bytes(frame.data) for frame in frames] == texts
    assert {(frame.opcode.name, frame.fin) for frame in frames} == {("TEXT", True)}


@pytest.mark.parametrize("lane", [None, "a", "x" * 256])
@promise("websocket.lanes")
def test_a_lane_is_put_into_an_event_and_nothing_else_changed(lane: str | None) -> None:
    events = [b'{"type":"a.b","delta":"\\n\\ndata: {}","sequence_number":5}', '{"type":"ü","n":{"a":[1]}}'.encode()]
    frames = [b"event: a.b\ndata: %b\n\n" % event for event in events]
    put = b',"stream_id":"%b"}' % (lane or "").encode()
    assert list(texts_of(frames, lane)) == [event[:-1] + put if lane else event for event in events]


@promise("websocket.slow")
async def test_who_reads_nothing_is_given_up_when_pings_stay_unanswered() -> None:
    given_up = asyncio.Event()
    written = 0

    async def talks_on(scope: Any, receive: Any, send: Any) -> None:
        nonlocal written
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "frames": framed([b"x" * 65536])})
                written += 65536
        except OSError:
            given_up.set()

    config = uvicorn.Config(talks_on, ws=SocketProtocol, ws_ping_interval=0.2, ws_ping_timeout=0.2, lifespan="off")
    config.load()
    loop, state = asyncio.get_running_loop(), ServerState()
    server = await loop.create_server(lambda: SocketProtocol(config, state, {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1024)
    writer.write(HANDSHAKE)
    assert await reader.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
    async with asyncio.timeout(10):
        await given_up.wait()
        while state.connections or state.tasks:
            await asyncio.sleep(0.01)
    assert written < 32 * 2**20, "what nobody reads is kept in memory"
    writer.close()
    server.close()
