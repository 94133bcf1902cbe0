"""What is done between the server and `bwrap`: rights are dropped, and what only root can reach is brought near."""

import itertools
import os
import random
import shlex
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nodes.sandbox.port import Broken

#: Users nobody is (the range systemd keeps for such), one a sandbox: the kernel counts some things by user.
_UIDS = range(61184, 65520)
_next_uid = itertools.cycle(random.sample(_UIDS, len(_UIDS))).__next__
#: Claim to a processor: all others come first.
LEAST = 19
#: Where what is unreachable is bound, in a mount namespace of this start alone; the first that hides no need.
_STAGES = ("/mnt", "/media", "/srv", "/opt", "/tmp")  # noqa: S108
_FIRST_TO_GO = "echo 500 >/proc/self/oom_score_adj"


@dataclass(frozen=True, slots=True)
class Launch:
    """How `bwrap` is started: a shell script of ours, and where it will find each need."""

    script: Sequence[str]
    needs: dict[str, str]
    #: Whether the script has mounts to make that nobody else should see.
    staged: bool

    def command(self, bwrap: Sequence[str], niceness: int = LEAST) -> list[str]:
        """`bwrap` with no rights, no environment and, unless something else is said, the least claim to a processor."""
        batch = [tool("chrt"), "--batch", "0"] if niceness == LEAST else []
        modest = [tool("nice"), "-n", str(niceness), *batch]
        last = f"exec {shlex.join([*_without_rights(), *modest, tool('env'), '-i', *bwrap])}"
        shell = ["/bin/sh", "-e", "-c", "\n".join([*self.script, last])]
        return [tool("unshare"), "--mount", "--propagation", "private", "--", *shell] if self.staged else shell


def launch(needs: Sequence[str], groups: Sequence[Path]) -> Launch:
    """`groups`: control groups it joins first of all. Raises `Broken` when a need cannot be brought near."""
    joining = [f"echo $$ >{shlex.quote(str(group / 'cgroup.procs'))}" for group in groups]
    far = [need for need in needs if os.geteuid() == 0 and not _reachable(need)]
    near = {need: need for need in needs}
    if not far:
        return Launch([*joining, _FIRST_TO_GO], near, staged=False)
    stage = next((stage for stage in _STAGES if Path(stage).is_dir() and not _hides(stage, needs)), None)
    if stage is None:
        raise Broken("Nowhere on this machine can what a sandbox needs be put in its reach.")
    near |= {need: f"{stage}/{at}" for at, need in enumerate(far)}
    return Launch([*joining, _FIRST_TO_GO, *_staging(stage, far, near)], near, staged=True)


@cache
def tool(name: str) -> str:
    """A program of the system, by its path. Raises `Broken`."""
    if found := shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin"):
        return found
    raise Broken(f"`{name}` is not installed on the server.")


def _without_rights() -> list[str]:
    dropped = [tool("setpriv"), "--inh-caps=-all", "--ambient-caps=-all"]
    if os.geteuid() != 0:
        return dropped
    uid = str(_next_uid())
    return [*dropped, "--reuid", uid, "--regid", uid, "--clear-groups"]


def _staging(stage: str, far: Sequence[str], near: dict[str, str]) -> Iterator[str]:
    yield f"mount -n -t tmpfs -o size=64k,mode=755 tmpfs {stage}"
    for need in far:
        made = "mkdir" if Path(need).is_dir() else "touch"
        yield f"{made} {near[need]}"
        yield f"mount -n --rbind {shlex.quote(need)} {near[need]}"


def _reachable(need: str) -> bool:
    """Whether anyone may go all the way there."""
    path = Path(need).resolve()
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)


def _hides(stage: str, needs: Sequence[str]) -> bool:
    return any(Path(need).resolve().is_relative_to(stage) for need in needs)
