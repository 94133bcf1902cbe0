"""Inside a sandbox: a port of its loopback leads through a socket to the proxy outside. Standard library only.

A process of its own, so that busy code, forks and interrupts do not stop it.
"""

import asyncio
import subprocess
import sys

_HERE = "localhost,127.0.0.1,::1"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_TRUSTING = (
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS",
)  # fmt: skip


def start(socket: str, token: str, certificates: str) -> "dict[str, str]":
    """Start it; gives the environment that programs find it by."""
    program = [sys.executable, "-I", "-S", __file__, socket]
    kept = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603
    if not (kept.stdin and kept.stdout):
        raise OSError("no pipes")
    kept.stdin.write(token.encode() + b"\n")
    kept.stdin.flush()
    proxy = f"http://127.0.0.1:{int(kept.stdout.readline())}"
    _kept.append(kept)
    return {
        **dict.fromkeys(_PROXIES, proxy),
        **dict.fromkeys(_TRUSTING, certificates),
        "NO_PROXY": _HERE,
        "no_proxy": _HERE,
    }


_kept: "list[subprocess.Popen[bytes]]" = []


def stop() -> None:
    """End what was started; it ends by itself with this process."""
    while _kept:
        with _kept.pop() as kept:  # closes its pipes, and waits for it
            kept.kill()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()


async def serve(socket: str, token: bytes, port: int) -> asyncio.Server:
    """A port of loopback (0: a free one), each connection of which leads through the socket."""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_outside, outside = await asyncio.open_unix_connection(socket)
        except OSError:
            writer.close()
            return
        outside.write(token + b"\n")
        await asyncio.gather(_pump(reader, outside), _pump(from_outside, writer))
        outside.close()
        writer.close()

    return await asyncio.start_server(accepted, "127.0.0.1", port)


async def _forward(socket: str, token: bytes, port: int) -> None:
    server = await serve(socket, token, port)
    if port:
        return await server.serve_forever()  # ends with its sandbox
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # ends with its runner


if __name__ == "__main__":
    asyncio.run(_forward(sys.argv[1], sys.stdin.readline().strip().encode(), int((*sys.argv[2:], 0)[0])))
