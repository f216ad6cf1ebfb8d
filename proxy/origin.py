"""Where the settings and the servers of this process come from, to be read at the start and again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topology.config import Settings, configured_deployment
from topology.environment import DOTCLOUD_FILE, Deployment, read_environment
from topology.settings import load


@dataclass(frozen=True, slots=True)
class Origin:
    """A TOML file, if there is one, the environment's variables, and the flags that were given."""

    file: Path | None
    variables: Mapping[str, str]
    flags: Mapping[str, Any]

    def settings(self) -> Settings:
        """As they are now. Raises SettingsError."""
        return load(self.file, self.variables, self.flags).settings

    def deployment(self, settings: Settings) -> Deployment:
        """The servers that they name. Raises ConfigError."""
        return configured_deployment(settings, read_environment(self.variables, settings.environment))

    def files(self, settings: Settings) -> tuple[Path, ...]:
        """What has to be read again when it changes."""
        return tuple(self._files(settings))

    def _files(self, settings: Settings) -> Iterator[Path]:
        if self.file is not None:
            yield self.file
        if settings.writer is None:
            yield settings.environment or DOTCLOUD_FILE
        named = (getattr(settings, key) for key in Settings.model_fields if key.endswith("_file"))
        yield from (path for path in (*named, *(account.password_file for account in settings.accounts)) if path)
