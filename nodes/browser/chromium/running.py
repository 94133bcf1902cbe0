"""A Chromium that runs: of one owner, with its way out, its directory and its limits."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nodes.browser.chromium import confined
from nodes.browser.chromium.driver import Driver
from nodes.browser.chromium.relay import Relay
from nodes.sandbox import places, usage
from nodes.sandbox.port import Broken, Network
from nodes.sandbox.proxy import Exit, Exits

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, BrowserType

_PREFIX = "graphnexus-browser-"
_ANYWHERE = Network((), anywhere=True)
#: Nothing of the server's.
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
_LOOK_S = 1.0
_START_S = 30.0
_GOODBYE_S = 3.0
#: For a sign of life when something has failed.
_ANSWER_S = 5.0
#: Nothing but the proxy is asked: not DNS, not by UDP. Chromium does not say which of these it does not know.
_FLAGS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """How Chromium is run here."""

    program: Path
    #: bubblewrap is around it.
    confined: bool
    memory_bytes: int
    #: Of all downloads that are not fetched yet.
    disk_bytes: int = 1 << 30


class Chromium:
    def __init__(self, kind: Kind, driver: Driver, place: places.Place, way_out: Exit) -> None:
        self._kind = kind
        self._driver = driver
        self._place = place
        self._way_out = way_out
        self._relay: Relay | None = None
        self._browser: Browser | None = None
        self._watching: asyncio.Task[None] | None = None
        self._lost = False
        #: Of those who work with it.
        self._limits: set[asyncio.Timeout] = set()
        #: Why it was ended, for the model; empty when nobody knows.
        self.why = ""

    @classmethod
    async def start(cls, kind: Kind, driver: Driver, exits: Exits) -> "Chromium":
        """Raises `Broken`."""
        way_out = await exits.open(_ANYWHERE)
        try:
            place = await asyncio.to_thread(_prepared)
        except BaseException:
            await way_out.close()
            raise
        chromium = cls(kind, driver, place, way_out)
        try:
            async with asyncio.timeout(_START_S):
                await chromium._start()
        except BaseException as error:
            await chromium.close()
            if isinstance(error, TimeoutError):
                raise Broken("The browser did not start in time.") from error
            raise
        return chromium

    @property
    def alive(self) -> bool:
        return self._browser is not None and self._browser.is_connected() and not self._lost

    @asynccontextmanager
    async def limited(self, seconds: float) -> AsyncGenerator[None]:
        """Work with it: raises `TimeoutError` when that takes too long, or it ends meanwhile."""
        async with asyncio.timeout(seconds) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def _ended(self, _: object) -> None:
        for limit in self._limits:
            with suppress(RuntimeError):  # it has come to its end already
                limit.reschedule(0)

    async def context(self) -> "BrowserContext":
        """One that shares nothing with others. Raises `Broken`."""
        from playwright.async_api import Error

        if self._browser is None:
            raise Broken("The browser has ended.")
        try:
            return await self._browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        except Error as error:
            await self.answers()
            raise Broken(error.message.splitlines()[0]) from error

    async def answers(self) -> bool:
        """Whether it is there still, and what drives it, of whose death nobody is told. Else it counts as ended."""
        from playwright.async_api import Error

        if self._browser and self.alive:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    await (await self._browser.new_browser_cdp_session()).detach()
            except TimeoutError:
                self._lost = True
            except Error:
                await self._driver.doubt(self._browser.browser_type)
                self._lost = True
        return self.alive

    async def close(self) -> None:
        """Nothing is left of it."""
        if self._watching:
            self._watching.cancel()
        if self._browser:
            with suppress(Exception):
                async with asyncio.timeout(_GOODBYE_S):
                    await self._browser.close()
        if self._relay:
            await self._relay.close()
        await self._way_out.close()
        await asyncio.to_thread(self._remove)

    # ------------------------------------------------------------ starting

    async def _start(self) -> None:
        self._browser = await self._launched()
        self._browser.on("disconnected", self._ended)
        self._watching = asyncio.create_task(self._watch())

    async def _launched(self) -> "Browser":
        """Without Chromium's own sandbox only within ours, and where it cannot be had. Raises `Broken`."""
        from playwright.async_api import Error

        ways, failed = [True, True, *([False] if self._kind.confined else [])], ""
        for own_sandbox in ways:
            driving = await self._driver.get()
            try:
                return await self._launch(driving, own_sandbox=own_sandbox)
            except Error as error:
                failed = error.message.splitlines()[0]
                await self._driver.doubt(driving)
        raise Broken(f"Chromium could not be started: {failed}")

    async def _launch(self, chromium: "BrowserType", *, own_sandbox: bool) -> "Browser":
        return await chromium.launch(
            executable_path=await self._program(),
            args=list(_FLAGS),
            chromium_sandbox=own_sandbox,
            proxy={"server": f"http://127.0.0.1:{await self._port()}"},
            downloads_path=self._downloads,
            env={**_ENVIRONMENT, "HOME": str(self._place.path), "TMPDIR": str(self._place.path)},
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )

    async def _program(self) -> Path:
        if not self._kind.confined:
            return self._kind.program
        await asyncio.to_thread(confined.write, self._script, self._kind.program, self._way_out, self._downloads)
        return self._script

    async def _port(self) -> int:
        """Of the proxy, as Chromium sees it."""
        if self._kind.confined:
            return confined.PORT
        self._relay = self._relay or await Relay.start(self._way_out)
        return self._relay.port

    @property
    def _script(self) -> Path:
        return self._place.path / "chromium"

    @property
    def _downloads(self) -> Path:
        return self._place.path / "downloads"

    def _remove(self) -> None:
        places.remove(self._place.path)
        with suppress(OSError):
            os.close(self._place.lock)

    # ------------------------------------------------------------ limits

    async def _watch(self) -> None:
        """End it when it takes more than it may."""
        while self.alive:
            await asyncio.sleep(_LOOK_S)
            if why := await asyncio.to_thread(self._excess):
                self.why = why
                await self._end()
                return

    def _excess(self) -> str:
        files = sum(file.stat().st_size for file in self._downloads.glob("*"))
        if files > self._kind.disk_bytes:
            return f"It downloaded more than {self._kind.disk_bytes >> 20} MiB."
        if not self._kind.confined:
            return ""
        try:
            pid = int(confined.pid_file(self._script).read_text())
        except (OSError, ValueError):
            return ""
        used = usage.measure(pid, self._kind.memory_bytes)
        over = used is not None and used.used_bytes > self._kind.memory_bytes
        return f"It needed more than the {self._kind.memory_bytes >> 20} MiB of memory there are." if over else ""

    async def _end(self) -> None:
        if self._browser:
            with suppress(Exception):
                await self._browser.close()


def _prepared() -> places.Place:
    places.sweep(_PREFIX)
    place = places.made(_PREFIX)
    downloads = place.path / "downloads"
    downloads.mkdir()
    downloads.chmod(0o777)  # the user inside is another
    return place
