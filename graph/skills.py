"""Skills: folders of instructions and programs that models use in containers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SkillVersion:
    id: str
    skill_id: str
    version: int
    name: str
    description: str
    created_at: int
    #: Where its zip is.
    place: str


@dataclass(frozen=True, slots=True)
class Skill:
    id: str
    created_at: int
    default_version: int
    #: The newest.
    latest_version: int
    #: Of the default version.
    name: str
    description: str
