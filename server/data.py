"""Where everything is kept, for commands: a directory that is made, a store that is opened."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from server.settings import BadSetting, Settings

if TYPE_CHECKING:
    from checkpoints import Store


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncGenerator["Store"]:
    """The store, or one line that says why there is none: exit status 2 when it never can be, 1 when it is away."""
    from checkpoints import STORES, Unusable
    from graph.errors import StoreUnavailable

    make_directory(settings)
    try:
        async with STORES[settings.database.kind](settings.database.place) as store:
            yield store
    except Unusable as unusable:
        setting = "database_url" if settings.database_url else "data_dir"
        raise BadSetting(f"{setting}: {unusable}") from None
    except StoreUnavailable as away:
        sys.exit(f"graphnexus: {settings.database}: {away.message}")


def check_storage(settings: Settings) -> None:
    """Raises `BadSetting` when the bytes of files cannot be kept where they are to be."""
    from checkpoints import Unusable
    from checkpoints.storage import Storage

    if settings.storage_url:
        try:
            Storage.at(settings.storage_url).close()
        except Unusable as unusable:
            raise BadSetting(f"storage_url: {unusable}") from None


def check_model(settings: Settings) -> None:
    """Raises `BadSetting` when vectors are to be made by a model that is not there."""
    if settings.file_search_embedding == "local":
        from nodes.file_search.model import NoModel, model_in

        try:
            model_in(settings.directory)
        except NoModel as missing:
            raise BadSetting(f"file_search_embedding: {missing}") from None


def make_directory(settings: Settings) -> None:
    try:
        settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadSetting(f"data_dir: {settings.directory} cannot be made: {reason}") from None
