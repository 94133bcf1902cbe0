"""A browser without bubblewrap around it: what keeps its pages from this machine is the proxy alone."""

import asyncio
import os
import shutil
import socket
from pathlib import Path

import pytest

from nodes.browser.chromium import finding
from nodes.browser.chromium.driver import Driver
from nodes.browser.chromium.running import Chromium, Kind
from nodes.reach import Reach
from nodes.sandbox.network.passing import Limits
from nodes.sandbox.proxy import Exits
from tests.contract import promise
from tests.site import serving

#: Where pages are; what they try to reach is on another address of this machine.
_ALLOWED = "127.0.0.3"
_CAPABILITY = "+dac_override"
_NOBODY = f"setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps {_CAPABILITY} --ambient-caps {_CAPABILITY}"
_PAGE = """<iframe src="http://HOST/secret"></iframe><script>
const said = {};
async function tries(name, act) {
    try { said[name] = await act(); } catch (error) { said[name] = "refused"; }
}
function heard(source, good) {
    return new Promise((yes, no) => { source[good] = () => yes("reached"); source.onerror = no; });
}
async function called() {
    const servers = ["stun:HOST", "turn:HOST?transport=udp", "turn:HOST?transport=tcp"];
    const iceServers = servers.map(urls => ({urls, username: "a", credential: "b"}));
    const peer = new RTCPeerConnection({iceServers});
    let found = 0;
    peer.onicecandidate = event => { found += event.candidate ? 1 : 0; };
    peer.createDataChannel("a");
    const gathered = new Promise(done => {
        peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && done();
    });
    await peer.setLocalDescription(await peer.createOffer());
    await Promise.race([gathered, new Promise(done => setTimeout(done, 2000))]);
    return found ? "reached" : "refused";
}
const all = Promise.all([
    tries("fetch", () => fetch("http://HOST/secret").then(() => "reached")),
    tries("socket", () => heard(new WebSocket("ws://HOST/secret"), "onopen")),
    tries("transport", () => new WebTransport("https://HOST/secret").ready.then(() => "reached")),
    tries("events", () => heard(new EventSource("http://HOST/secret"), "onopen")),
    tries("call", called),
]).then(() => said);
</script>"""


def _program(where: Path) -> Path:
    """Chromium; as nobody where the tests are run by root, who has no sandbox."""
    found = finding.find(None)
    assert found is not None
    if os.geteuid():
        return found
    if not shutil.which("setpriv"):
        pytest.skip("Tests that are run by root need setpriv here.")
    script = where / "chromium"
    script.write_text(f'#!/bin/sh\nexec {_NOBODY} {found} "$@"\n')
    script.chmod(0o755)
    return script


@promise("browser.shut_in")
async def test_no_page_gets_past_the_proxy_to_this_machine(tmp_path: Path) -> None:
    exits, driver = Exits(Reach(allowed=(_ALLOWED,)), Limits(ports=None)), Driver()
    with serving() as site, socket.socket(type=socket.SOCK_DGRAM) as listening:
        site.has("/secret", b"Secret.", access_control_allow_origin="*")
        listening.bind(("127.0.0.2", site.port))
        listening.setblocking(False)
        site.has("/bad", _PAGE.replace("HOST", f"127.0.0.2:{site.port}").encode(), content_type="text/html")
        program = await asyncio.to_thread(_program, tmp_path)
        chromium = await Chromium.start(Kind(program, confined=False, memory_bytes=1 << 30), driver, exits)
        try:
            page = await (await chromium.context()).new_page()
            await page.goto(site.url("/bad", _ALLOWED))
            said = await page.evaluate("all")
        finally:
            await chromium.close()
            await driver.close()
        assert said == dict.fromkeys(("fetch", "socket", "transport", "events", "call"), "refused")
        assert not site.asked["/secret"]
        with pytest.raises(BlockingIOError):
            listening.recv(100)
