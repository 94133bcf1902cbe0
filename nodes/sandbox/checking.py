"""Whether bubblewrap holds here: a sandbox is opened, and looks for ways out."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from nodes.sandbox.guarded import Guarded
from nodes.sandbox.port import Room

#: What to do where users may not have namespaces, by what bwrap says of it.
ADVICE = (
    "Install bubblewrap 0.8 or later (`apt-get install bubblewrap`, which brings util-linux where it is missing). "
    "Where users may not have namespaces: on Ubuntu 24.04 give bwrap an AppArmor profile with `userns,` or set "
    "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`; elsewhere `sysctl user.max_user_namespaces=15000` and "
    "`kernel.unprivileged_userns_clone=1`; in Docker run with `--security-opt seccomp=unconfined --security-opt "
    "apparmor=unconfined --security-opt systempaths=unconfined`."
)
_LIMIT_S = 10.0
_OURS = Path(__file__).resolve()
_HELD = "held"
#: Each line tells of one way out that is open.
_PROBE = """
shown() { for path in "$@"; do [ -e "$path" ] && echo "host files are seen ($path)"; done; }
status() { grep -q "^$1:[[:space:]]*$2\\$" /proc/self/status || echo "$3"; }
shown /etc/shadow /etc/hostname /var/log /run/docker.sock "$1"
[ "$$" = 1 ] || echo "host processes are seen"
[ "$(grep -c : /proc/net/dev)" = 1 ] || echo "the network is seen"
[ -w /proc/sys/kernel/core_pattern ] && echo "kernel settings can be written"
tr '\\0' '\\n' </proc/1/environ | grep -v '^\\(PATH\\|HOME\\|TMPDIR\\|LANG\\|PWD\\)=' |
    grep -q = && echo "the server's environment is seen"
status CapEff 0000000000000000 "it has rights"
status CapBnd 0000000000000000 "it could get rights"
status NoNewPrivs 1 "setuid programs give rights"
status Seccomp 2 "system calls are not filtered"
echo held
"""
Start = Callable[[Sequence[str], Sequence[str], Room], Awaitable[Guarded]]


async def problem(start: Start) -> str | None:
    """What is in the way, or what does not hold, with what can be done; None when all is well. Raises `Broken`."""
    process = await start(["/bin/sh", "-c", _PROBE, "sh", str(_OURS)], [], Room())
    assert process.stdout  # it is piped  # noqa: S101
    try:
        async with asyncio.timeout(_LIMIT_S):
            said = (await process.stdout.read()).decode(errors="replace").split("\n")
            await process.wait()
    except TimeoutError:
        process.stop("")
        return f"bubblewrap did not answer within {_LIMIT_S:.0f} s."
    if _HELD not in said:
        await process.heard.wait()
        return f"bubblewrap could not open a sandbox: {process.last_words or 'it said nothing'}. {ADVICE}"
    open_ways = [line for line in said if line and line != _HELD]
    return f"bubblewrap does not hold here: {'; '.join(open_ways)}." if open_ways else None
