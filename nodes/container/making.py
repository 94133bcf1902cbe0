"""What a declaration makes: a container that is not there yet, or the choice of one that is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from graph.containers import Container, Fresh, MemoryLimit
from graph.errors import Json, NotFound, RequestError
from graph.files import File, Files
from graph.ids import new_id, now
from graph.seal import Seal
from graph.state import Entry
from nodes.container.live import once
from nodes.container.port import Rules, Skills
from nodes.sandbox.network.domains import as_domain
from nodes.sandbox.port import Network, Room, Sandbox, Secret

IDLE_MINUTES = 20


class Maker:
    """Makes containers of declarations that were checked."""

    def __init__(self, seal: Seal, rules: Rules, files: Files, skills: Skills | None, plain: Room) -> None:
        """`plain`: what a container may use that asks for nothing more; its disk bounds the files of every one."""
        self._seal = seal
        self._rules = rules
        self._files = files
        self._skills = skills
        self._plain = plain
        self._limit_bytes = plain.disk_bytes

    async def made(self, owner: str, declared: Json, param: str = "") -> Container:
        """Not kept yet. Raises `RequestError` below `param`."""
        limit = cast(MemoryLimit, declared.get("memory_limit") or "1g")
        self._check_memory(limit, _under(param, "memory_limit"))
        domains, sealed = self._network(declared.get("network_policy") or {})
        expires: Json = declared.get("expires_after") or {}
        return Container(
            id=new_id("cntr_"),
            owner=owner,
            name=declared.get("name") or "auto",
            created_at=now(),
            last_active_at=now(),
            idle_minutes=expires.get("minutes") or IDLE_MINUTES,
            memory_limit=limit,
            domains=domains,
            sealed=sealed,
            skills=await self._chosen(owner, declared.get("skills") or [], _under(param, "skills")),
        )

    def fits(self, container: Container, made: Container, declared: Json) -> bool:
        """Whether a container that is there does for what was declared; `made` is what would be made of it."""
        same = (container.domains, self._secrets(container)) == (made.domains, self._secrets(made))
        memory = declared.get("memory_limit") in (None, container.memory_limit)
        return same and memory and (not made.skills or list(made.skills) == list(container.skills))

    def room(self, container: Container) -> Room:
        """What its sandbox may use. Containers of equal rooms share a pool of warm ones."""
        network = None
        if container.domains:
            network = Network(tuple(container.domains), tuple(Secret(*secret) for secret in self._secrets(container)))
        memory = min(_bytes(container.memory_limit), self._rules.memory_max_bytes)
        return replace(self._plain, memory_bytes=memory, network=network)

    async def found(self, owner: str, file_ids: Sequence[str], param: str = "file_ids") -> Sequence[File]:
        """The files of these ids. Raises `RequestError` for one that is not there or does not fit."""
        found: list[File] = []
        for index, id in enumerate(file_ids):
            where = f"{param}[{index}]"
            file = await self._files.find(owner, id)
            if file is None:
                raise NotFound(f"File with id '{id[:100]}' not found.", param=where)
            if file.size_bytes > self._limit_bytes:
                message = f"File '{id}' is larger than the {self._limit_bytes >> 20} MiB that a container holds."
                raise RequestError(message, param=where, code="file_too_large")
            found.append(file)
        return found

    async def copy(self, owner: str, file_id: str, path_of: Callable[[str], str]) -> Fresh | None:
        """A file to be put into a container; None when there is none."""
        file = await self._files.find(owner, file_id)
        if file is None:
            return None
        return Fresh(path_of(file.filename), "user", self._files.read(owner, file_id), file_id)

    async def mount(self, container: Container, sandbox: Sandbox) -> None:
        """Put the files of its skills into a new sandbox; they are no files of the container."""
        if self._skills is None:
            return
        for skill in container.skills:
            async for path, content in self._skills.files(container.owner, skill):
                await sandbox.put(path, once(content))

    async def skills_told(self, container: Container) -> Sequence[str]:
        """What models are told of a container's skills, a line each."""
        if self._skills is None:
            return ()
        return [line for skill in container.skills if (line := await self._skills.told(container.owner, skill))]

    # ------------------------------------------------------------ parts of a declaration

    def _check_memory(self, limit: MemoryLimit, param: str) -> None:
        most = self._rules.memory_max_bytes
        if limit != "1g" and _bytes(limit) > most:
            message = (
                f"Invalid '{param}': containers of this server have at most {most >> 20} MiB of memory "
                "(setting `container_memory_max`)."
            )
            raise RequestError(message, param=param, code="invalid_value")

    def _network(self, policy: Json) -> tuple[Sequence[str], str | None]:
        """The domains, and the secrets for them, sealed."""
        if policy.get("type") != "allowlist":
            return (), None
        secrets: Sequence[Json] = policy.get("domain_secrets") or ()
        named = [(as_domain(secret["domain"]), secret["name"], secret["value"]) for secret in secrets]
        domains = tuple(as_domain(domain) for domain in policy["allowed_domains"])
        return domains, self._seal.close({"secrets": named}) if named else None

    def _secrets(self, container: Container) -> list[list[str]]:
        """Domain, name and value; none of what was sealed with another key."""
        opened = self._seal.open(container.sealed) if container.sealed else None
        return (opened or {}).get("secrets", [])

    async def _chosen(self, owner: str, skills: Sequence[Json], param: str) -> Sequence[tuple[str, str]]:
        if not skills:
            return ()
        if self._skills is None:
            raise RequestError("This server has no skills.", param=param, code="invalid_value")
        return await self._skills.chosen(owner, skills, param)


def named_by(entries: Sequence[Entry]) -> Iterator[str]:
    """The containers that calls of a conversation were made in, the newest first."""
    seen: set[str] = set()
    for entry in reversed(entries):
        item: Json = entry["item"]
        id = item.get("container_id") if item["type"] == "code_interpreter_call" else _of_shell(item)
        if isinstance(id, str) and id not in seen:
            seen.add(id)
            yield id


def _of_shell(item: Json) -> Any:
    environment = item.get("environment") if item["type"] == "shell_call" else None
    return cast(Json, environment).get("container_id") if isinstance(environment, dict) else None


def inputs_of(entries: Sequence[Entry]) -> list[Json]:
    """Files and images that messages of a conversation bring along, by id or as data, in their order."""
    parts = [
        part
        for entry in entries
        if entry["item"]["type"] == "message" and isinstance(entry["item"].get("content"), list)
        for part in entry["item"]["content"]
    ]
    return [part for part in parts if _is_input(part)]


def _is_input(part: Json) -> bool:
    if part.get("type") not in ("input_file", "input_image"):
        return False
    return isinstance(part.get("file_id"), str) or isinstance(part.get("file_data"), str)


def _bytes(limit: MemoryLimit) -> int:
    return int(limit.removesuffix("g")) << 30


def _under(param: str, name: str) -> str:
    return f"{param}.{name}" if param else name
