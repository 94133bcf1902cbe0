"""Every setting; the one place that reads the environment.

Heaviest first: flags, environment (`GRAPHNEXUS_PORT` for `port`), `graphnexus.toml`, defaults.
"""

from server.settings.environment import share_metrics, shared_metrics, variable, watches_loop
from server.settings.loading import BadSetting, bare_environment, load, unknown_variables
from server.settings.models import ApiKey, Database, ModelServer, Webhook
from server.settings.settings import Settings, is_loopback

__all__ = [
    "ApiKey",
    "BadSetting",
    "Database",
    "ModelServer",
    "Settings",
    "Webhook",
    "bare_environment",
    "is_loopback",
    "load",
    "share_metrics",
    "shared_metrics",
    "unknown_variables",
    "variable",
    "watches_loop",
]
