"""Every setting; the server's own are in `serving`, those of hosted tools in `tools`."""

import ipaddress
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from server.settings.environment import PREFIX
from server.settings.models import (
    OPENAI_KEY,
    Database,
    ModelServer,
    said,
)
from server.settings.serving import ServerSettings
from server.settings.tools import ToolSettings

OPENAI_URL = "https://api.openai.com/v1"


class Settings(ToolSettings, ServerSettings):
    """Read once, by `load`; never changes afterwards."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what it is given: `load` weighs the sources, and can say where a bad value was found."""
        return (init_settings,)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def directory(self) -> Path:
        return self.data_dir.expanduser().absolute()

    @property
    def database(self) -> Database:
        return Database.at(self.database_url) if self.database_url else Database.file(self.directory / "graphnexus.db")

    @property
    def storage(self) -> str:
        return self.storage_url or str(self.directory / "files")

    def of(self, kind: str) -> dict[str, Any]:
        """The settings of one kind of tool, without the kind: `call_timeout_s` for `mcp_call_timeout_s`."""
        prefix = f"{kind}_"
        return {name.removeprefix(prefix): value for name, value in self if name.startswith(prefix)}

    def model_servers(self) -> tuple[ModelServer, ...]:
        """The model servers named, each with its key; empty means: discover, or use the built-in model."""
        servers = self.upstream
        if not servers and (self.openai_base_url or self.openai_api_key):
            servers = (ModelServer(url=self.openai_base_url or OPENAI_URL, key_env=OPENAI_KEY),)
        return tuple(server.model_copy(update={"key": self._key_of(server)}) for server in servers)

    def _key_of(self, server: ModelServer) -> SecretStr | None:
        if server.key or not server.key_env:
            return server.key
        return self.openai_api_key if server.key_env == OPENAI_KEY else SecretStr(said(server.key_env))


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without port, is this machine by its very spelling."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
