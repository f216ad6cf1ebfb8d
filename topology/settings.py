"""The settings in force, merged from one TOML file, the environment and flags, in rising order of precedence.

Each value is kept with the place it came from, and all faults are told at once: with that place, the key, what is
allowed, and what was probably meant.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from topology.config import ConfiguredAccount, ConfiguredRule, Settings
from topology.errors import ConfigError
from topology.tomllines import KeyPath, lines_of
from topology.values import secret_of

PREFIX: Final = "MANYREADS_"
DEFAULT: Final = "default"
KEYS: Final = tuple(Settings.model_fields)
# Each may instead be read from the file that the key with _file names.
_FROM_FILES: Final = tuple(key for key in KEYS if f"{key}_file" in KEYS)
_TABLES: Final[dict[str, type[BaseModel]]] = {"accounts": ConfiguredAccount, "rules": ConfiguredRule}
# Values of these types are words of a list, of which one may have been meant.
_WORDS: Final = ("enum", "literal_error")
# What pydantic says of these is about its own work.
_PROBLEMS: Final = {
    "float_parsing": "must be a number, without a unit",
    "float_type": "must be a number, without a unit",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "missing": "is missing",
}
_WHERE_LINE: Final = re.compile(r":(\d+)$")
_TOML_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)$")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where it was set (`file:line`, a variable, a flag), the key, and what is allowed."""

    where: str
    key: str
    problem: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.problem) if part)


class SettingsError(ConfigError):
    """Settings that cannot be used, with all their faults."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)), "correct the settings; docs/operating.md describes each")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each key that was set comes from."""

    settings: Settings
    sources: Mapping[str, str]


@dataclass(slots=True)
class _Values:
    """Values as they were written, and by the path of a key where that is. A layer that is added wins."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, str] = field(default_factory=dict)

    def add(self, values: Mapping[str, Any], places: Mapping[KeyPath, str]) -> None:
        # A secret that is set here is not read from a file that was named below, and the reverse.
        twins = {key.removesuffix("_file") if key.endswith("_file") else f"{key}_file" for key in values} - set(values)
        replaced = twins.intersection(KEYS) | set(values)
        self.values = {key: value for key, value in self.values.items() if key not in replaced} | dict(values)
        self.places = {path: place for path, place in self.places.items() if path[0] not in replaced} | dict(places)

    def place(self, path: KeyPath) -> str:
        """Where a key is set, or else the table around it, or the first one in it; empty when nobody set it."""
        around = (path[:length] for length in range(len(path), 0, -1))
        within = (known for known in self.places if known[: len(path)] == path)
        return next((self.places[each] for each in (*around, *within) if each in self.places), "")


def load_settings(file: Path | None, variables: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """The settings alone. A flag that is None was not given. Raises SettingsError."""
    return load(file, variables, flags).settings


def load(file: Path | None, variables: Mapping[str, str], flags: Mapping[str, Any]) -> Loaded:
    """The settings, and where each comes from. A flag that is None was not given. Raises SettingsError."""
    merged = _Values()
    if file is not None:
        merged.add(*_from_file(file))
    merged.add(*_from_variables(variables))
    merged.add(*_from_flags(flags))
    faults = list(_read_secrets(merged))
    try:
        settings = Settings.model_validate(merged.values)
    except ValidationError as error:
        faults += _faults(error.errors(include_url=False), merged)
        raise SettingsError(sorted(faults, key=_line)) from None
    if faults:
        raise SettingsError(faults)
    return Loaded(settings, {key: merged.place((key,)) for key in merged.values})


def misspelt(variables: Mapping[str, str]) -> Iterator[Fault]:
    """Variables whose names are nearly those of settings. No error: a platform may set variables of the same prefix."""
    names = [PREFIX + key.upper() for key in KEYS]
    for variable in sorted(name for name in variables if name.startswith(PREFIX) and name not in names):
        if meant := difflib.get_close_matches(variable, names, 1, 0.9):
            yield Fault(variable, "", f"there is no such variable; did you mean {meant[0]}?")


def _from_file(file: Path) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    try:
        text = file.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise SettingsError([Fault(str(file), "", f"cannot read it: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise SettingsError([Fault(str(file), "", "is not TOML: it is not UTF-8")]) from None
    except tomllib.TOMLDecodeError as error:
        line = _TOML_LINE.search(str(error))
        where = f"{file}:{line[1]}" if line else str(file)
        raise SettingsError([Fault(where, "", f"is not TOML: {_TOML_LINE.sub('', str(error))}")]) from None
    return values, {path: f"{file}:{line}" for path, line in lines_of(text).items()}


def _from_variables(variables: Mapping[str, str]) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    values: dict[str, Any] = {}
    places: dict[KeyPath, str] = {}
    # dotCloud's way to say which port a service with `ports: {mysql: tcp}` has to listen on.
    if "PORT_MYSQL" in variables:
        values["listen"], places["listen",] = f"0.0.0.0:{variables['PORT_MYSQL']}", "PORT_MYSQL"
    if state := _state_directory(variables):
        places["state_directory",], values["state_directory"] = state
    for key in KEYS:
        if (name := PREFIX + key.upper()) in variables:
            values[key], places[key,] = variables[name], name
    return values, places


def _from_flags(flags: Mapping[str, Any]) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    given = {key: value for key, value in flags.items() if value is not None}
    return given, {(key,): "--" + key.replace("_", "-") for key in given}


def _state_directory(variables: Mapping[str, str]) -> tuple[str, str] | None:
    """Where systemd, or else the XDG Base Directory Specification, wants a program's state, and who says so."""
    if given := variables.get("STATE_DIRECTORY", "").partition(":")[0]:
        return "STATE_DIRECTORY", given
    if state := variables.get("XDG_STATE_HOME", ""):
        return "XDG_STATE_HOME", f"{state}/manyreads"
    home = variables.get("HOME", "")
    return ("HOME", f"{home}/.local/state/manyreads") if home else None


def _read_secrets(merged: _Values) -> Iterator[Fault]:
    """Put the content of files in place of what names them."""
    for key in _FROM_FILES:
        named = merged.values.get(f"{key}_file")
        if named is None:
            continue
        place = merged.place((f"{key}_file",))
        if key in merged.values:
            yield Fault(place, f"{key}_file", f"{key} is set at the same place; give one of them")
            continue
        try:
            merged.values[key] = secret_of(Path(str(named)))
            merged.places[key,] = f"{named}, {place}"
        except ValueError as error:
            yield Fault(place, f"{key}_file", str(error))


def _faults(errors: Iterable[ErrorDetails], merged: _Values) -> list[Fault]:
    """One for each key: a value that may be of several kinds has an error for each of them."""
    problems: dict[KeyPath, list[str]] = {}
    for error in errors:
        path = _written(error["loc"])
        problems.setdefault(path, []).append(_problem(error, path))
    return [Fault(merged.place(path), ".".join(map(str, path)), " or ".join(told)) for path, told in problems.items()]


def _line(fault: Fault) -> int:
    """The line of a file that it is on; what stands in no file comes before."""
    line = _WHERE_LINE.search(fault.where)
    return int(line[1]) if line else 0


def _written(path: KeyPath) -> KeyPath:
    """The path without the names that pydantic adds for the members of a union."""
    if path and path[0] in _TABLES:
        return path
    return path[:2] if len(path) > 1 and isinstance(path[1], int) else path[:1]


def _problem(error: ErrorDetails, path: KeyPath) -> str:
    if error["type"] in _PROBLEMS:
        return _PROBLEMS[error["type"]]
    text = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)
    text = text.replace("Value should have", "must have", 1)
    if error["type"] == "extra_forbidden":
        known = _TABLES[str(path[0])].model_fields if len(path) > 1 and path[0] in _TABLES else KEYS
        return f"there is no such key{_meant(str(path[-1]), known) or '; there are ' + ', '.join(known)}"
    if error["type"] in _WORDS:
        # Allowed words are written as 'a', 'b' or 'c'.
        return text + _meant(str(error["input"]), re.findall(r"'([^']*)'", text))
    return text


def _meant(written: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(written, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
