"""Skills: `/v1/skills` through the official client, and what is in a container with a real sandbox."""

import base64
import io
import json
import zipfile
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.answers import Answer
from tests.contract import promise
from tests.test_code_interpreter import told
from tests.upstream import Script, calls, says

Json = dict[str, Any]
RUN = "echo This is $(basename $(dirname $0))."


def manual(name: str = "report", description: str = "Writes reports.") -> bytes:
    return f"---\nname: {name}\ndescription: {description}\n---\nRun `sh run.sh`.\n".encode()


def zipped(*entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, mode: int = 0) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for path, content in entries:
            info = zipfile.ZipInfo(path)
            info.compress_type, info.external_attr = method, mode << 16
            archive.writestr(info, content)
    return whole.getvalue()


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def shell(*commands: str) -> Answer:
    return calls("shell", commands=list(commands))


def with_skills(*skills: Json) -> Any:
    return {"type": "shell", "environment": {"type": "container_auto", "skills": list(skills)}}


def inline(content: bytes) -> Json:
    source = {"type": "base64", "media_type": "application/zip", "data": base64.b64encode(content).decode()}
    return {"type": "inline", "name": "report", "description": "Writes reports.", "source": source}


@promise("skills.kept")
def test_a_skill_is_made_of_files_read_listed_and_deleted(client: OpenAI, http: httpx2.Client) -> None:
    made = client.skills.create(files=[("report/SKILL.md", manual()), ("report/a/run.sh", RUN.encode())])
    assert made.id.startswith("skill_")
    shown = http.get(f"/skills/{made.id}").json()
    assert shown == {
        "id": made.id, "object": "skill", "created_at": made.created_at, "name": "report",
        "description": "Writes reports.", "default_version": "1", "latest_version": "1",
    }  # fmt: skip
    assert made.id in [one.id for one in client.skills.list(limit=2)], "it is in one of the pages"
    whole = unzipped(client.skills.content.retrieve(made.id).read())
    assert whole == {"SKILL.md": manual(), "a/run.sh": RUN.encode()}
    gone = http.delete(f"/skills/{made.id}").json()
    assert gone == {"id": made.id, "object": "skill.deleted", "deleted": True}
    for path in (f"/skills/{made.id}", f"/skills/{made.id}/content", f"/skills/{made.id}/versions", "/skills/%00"):
        assert http.get(path).status_code == 404


@promise("skills.kept")
def test_a_skill_has_versions_that_stay_as_they_are(client: OpenAI) -> None:
    skill = client.skills.create(files=("report.zip", zipped(("SKILL.md", manual()))))
    versions = client.skills.versions
    second = versions.create(skill.id, files=[("SKILL.md", manual(description="Second."))])
    third = versions.create(skill.id, files=[("SKILL.md", manual(description="Third."))], default=True)
    assert [second.version, third.version] == ["2", "3"]
    found = client.skills.retrieve(skill.id)
    assert (found.default_version, found.latest_version, found.description) == ("3", "3", "Third.")
    assert client.skills.update(skill.id, default_version="2").description == "Second."
    assert [one.version for one in versions.list(skill.id, order="asc")] == ["1", "2", "3"]
    assert [one.version for one in versions.list(skill.id, limit=1)] == ["3", "2", "1"]
    assert versions.retrieve("1", skill_id=skill.id).description == "Writes reports."
    assert unzipped(versions.content.retrieve("1", skill_id=skill.id).read()) == {"SKILL.md": manual()}
    gone = versions.delete("3", skill_id=skill.id)
    assert (gone.version, gone.object) == ("3", "skill.version.deleted")
    assert client.skills.retrieve(skill.id).latest_version == "2"
    fourth = versions.create(skill.id, files=[("SKILL.md", manual())])
    assert fourth.version == "4", "no number is given twice"
    with pytest.raises(BadRequestError, match="default version"):
        versions.delete("2", skill_id=skill.id)
    with pytest.raises(NotFoundError):
        versions.retrieve("3", skill_id=skill.id)
    with pytest.raises(NotFoundError):
        client.skills.update(skill.id, default_version="9")


GOOD = zipped(("SKILL.md", manual()), ("a.txt", b"some text " * 100))
TORN = GOOD.replace(GOOD[GOOD.find(b"a.txt") + 8 :][:4], b"\xff" * 4, 1)


@promise("skills.refused")
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (zipped(("a.md", manual())), "no SKILL.md"),
        (zipped(("SKILL.md", b"# Report")), "front matter"),
        (zipped(("SKILL.md", manual("Two words"))), "`name`"),
        (zipped(("SKILL.md", manual(description='"\\0"'))), "`description`"),
        (zipped(("SKILL.md", b"---\n" + b"[" * 9000 + b"\n---\n")), "no YAML"),
        (zipped(("SKILL.md", manual(description="!!timestamp x"))), "no YAML"),
        (zipped(("SKILL.md", manual()), ("../out", b"")), "no path"),
        (zipped(("SKILL.md", manual()), ("/etc/out", b"")), "no path"),
        (zipped(("SKILL.md", manual()), mode=0o120777), "link"),
        (zipped(("SKILL.md", manual()), ("A", b""), ("a", b"")), "stands in the way"),
        (zipped(("SKILL.md", manual()), ("a", b""), ("a/b", b"")), "stands in the way"),
        (zipped(("SKILL.md", manual()), method=zipfile.ZIP_BZIP2), "packed in a way"),
        (zipped(("SKILL.md", manual()), ("bomb", bytes(51 << 20))), "50 MiB"),
        (zipped(("SKILL.md", manual()), *[(f"{n}", b"") for n in range(500)]), "500 files"),
        (zipped(*[(f"{n}/", b"") for n in range(5_001)]), "5000 entries"),
        (TORN, "cannot be read"),
        (GOOD[:-40], "cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_skill_is_refused(client: OpenAI, content: bytes, why: str) -> None:
    before = [one.id for one in client.skills.list()]
    with pytest.raises(BadRequestError, match=why) as refused:
        client.skills.create(files=("skill.zip", content))
    assert refused.value.param == "files"
    assert [one.id for one in client.skills.list()] == before


@promise("skills.used")
def test_the_model_is_told_of_skills_and_uses_their_files(client: OpenAI, script: Script, model: str) -> None:
    skill = client.skills.create(files=[("report/SKILL.md", manual()), ("report/run.sh", RUN.encode())])
    newer = [("report/SKILL.md", manual(description="Newer.")), ("report/run.sh", b"echo newer")]
    client.skills.versions.create(skill.id, files=newer)
    tool = with_skills({"type": "skill_reference", "skill_id": skill.id})
    script.will(shell("sh .skills/report/run.sh", "ls"), says("ok"))
    first = client.responses.create(model=model, input="q", tools=[tool])
    description = script.seen[0].tool("shell")["description"]
    assert "report" in description and "Writes reports." in description
    assert "/mnt/data/.skills/report/SKILL.md" in description
    ran = json.loads(told(script).partition("\n")[0])
    assert [one["stdout"] for one in ran] == ["This is report.\n", ""]
    container = first.to_dict()["output"][0]["environment"]["container_id"]  # type: ignore[index]
    assert list(client.containers.files.list(container)) == [], "a skill's files are not the container's"  # type: ignore[arg-type]
    latest = with_skills({"type": "skill_reference", "skill_id": skill.id, "version": "latest"})
    script.will(shell("sh .skills/report/run.sh"), says("ok"))
    second = client.responses.create(model=model, input="q", tools=[latest], previous_response_id=first.id)
    assert json.loads(told(script))[0]["stdout"] == "newer\n"
    assert second.to_dict()["output"][0]["environment"]["container_id"] != container  # type: ignore[index]


@promise("skills.used")
def test_a_skill_that_comes_with_the_request_finds_its_container_again(
    client: OpenAI, script: Script, model: str
) -> None:
    listed = [one.id for one in client.skills.list()]
    tool = with_skills(inline(zipped(("SKILL.md", manual()), ("run.sh", RUN.encode()))))
    script.will(shell("sh .skills/report/run.sh > made.txt"), says("ok"))
    first = client.responses.create(model=model, input="q", tools=[tool])
    script.will(shell("cat made.txt"), says("ok"))
    client.responses.create(model=model, input="q", tools=[tool], previous_response_id=first.id)
    assert json.loads(told(script))[0]["stdout"] == "This is report.\n"
    assert [one.id for one in client.skills.list()] == listed


@promise("skills.refused")
@pytest.mark.parametrize(
    ("skill", "param"),
    [
        ({"type": "skill_reference"}, ".skill_id"),
        ({"type": "skill_reference", "skill_id": "skill_none"}, ".skill_id"),
        ({"type": "inline"}, ".source.data"),
        (inline(b"PK"), ".source.data"),
    ],
)
def test_a_skill_that_cannot_be_used_is_refused_at_its_place(
    client: OpenAI, model: str, skill: Json, param: str
) -> None:
    with pytest.raises((BadRequestError, NotFoundError)) as refused:
        client.responses.create(model=model, input="q", tools=[with_skills(skill)])
    assert refused.value.param == f"tools[0].environment.skills[0]{param}"


@promise("skills.refused")
def test_two_skills_of_one_name_are_not_mixed(client: OpenAI, model: str) -> None:
    tool = with_skills(inline(zipped(("SKILL.md", manual()))), inline(zipped(("SKILL.md", manual()), ("a", b""))))
    with pytest.raises(BadRequestError, match="two skills") as refused:
        client.responses.create(model=model, input="q", tools=[tool])
    assert refused.value.param == "tools[0].environment.skills[1]"
