"""What a model is told when an act has failed."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Error


def words(error: "Error") -> str:
    return error.message.splitlines()[0]
