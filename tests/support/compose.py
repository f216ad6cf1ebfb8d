"""docker-compose.yml without Docker: its services in their start order, and commands that this machine can run."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DATABASES = ("mariadb", "mysql")


def compose_file() -> dict[str, Any]:
    """The whole file, its anchors resolved."""
    found = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(found, dict)
    return found


def services() -> dict[str, dict[str, Any]]:
    """The services, by name."""
    found: dict[str, dict[str, Any]] = compose_file()["services"]
    return found


def start_order(target: str) -> list[str]:
    """What `docker compose up TARGET` starts, in an order that depends_on allows."""
    graph: dict[str, list[str]] = {}
    waiting = [target]
    while waiting:
        name = waiting.pop()
        graph[name] = list(services()[name].get("depends_on", {}))
        waiting += graph[name]
    return list(TopologicalSorter(graph).static_order())


def is_database(name: str) -> bool:
    """Whether the service's image is one of the vendors'."""
    return services()[name]["image"].partition(":")[0] in DATABASES


def flags(name: str) -> Iterator[tuple[str, str]]:
    """The variables that a database's command sets, and their values."""
    for flag in services()[name]["command"]:
        key, _, value = flag.removeprefix("--").partition("=")
        yield key.replace("-", "_"), value


@dataclass(frozen=True)
class Local:
    """What containers have for themselves is shared here: the addresses of `servers`, and `texts` of the file."""

    servers: Mapping[str, tuple[str, int]]
    texts: Mapping[str, str]

    def words(self, words: list[str]) -> list[str]:
        """A command."""
        return [sys.executable if word == "python" else self._word(word) for word in words]

    def environment(self, variables: Mapping[str, Any]) -> dict[str, str]:
        """The variables of a service; each database gets its own port beside its host."""
        found = {key: self._word(str(value)) for key, value in variables.items()}
        for key, value in variables.items():
            if key.endswith("_HOST"):
                host, port = self.servers[value]
                found |= {key: host, f"{key.removesuffix('_HOST')}_PORT": str(port)}
        return found

    def _word(self, word: str) -> str:
        for text, here in self.texts.items():
            word = word.replace(text, here)
        return word
