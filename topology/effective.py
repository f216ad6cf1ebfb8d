"""The settings in force as TOML that can be read by people, and with the source of each. Without secrets. Pure."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from topology.config import Settings
from topology.servers import Role, server_from_url
from topology.settings import DEFAULT, KEYS, Loaded

_HIDDEN = "********"
_URLS = ("writer", "readers")


def effective(loaded: Loaded, *, with_sources: bool) -> Iterator[str]:
    """One line for each key; a comment for one that has no value. Passwords are stars."""
    for key in KEYS:
        value = shown(key, loaded.settings)
        line = f"{key} = {value}" if value else f"# {key} is not set"
        yield f"{line}  # {loaded.sources.get(key, DEFAULT)}" if with_sources else line


def shown(key: str, settings: Settings) -> str:
    """The value of a key as TOML, passwords as stars; empty when it has none."""
    value = getattr(settings, key)
    if value is None:
        return ""
    if key in _URLS:
        return _toml(_shown_urls(value))
    return _toml(settings.model_dump(mode="json", by_alias=True, include={key})[key])


def _shown_urls(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(map(_shown_urls, value))
    server = server_from_url(value.get_secret_value(), "the server", Role.REPLICA)
    password = f":{_HIDDEN}" if server.password else ""
    return f"mysql://{quote(server.user)}{password}@{server.address}"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items() if each is not None) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
