"""A flag for each setting, made from the one definition of the settings."""

import functools
import inspect
from collections.abc import Callable
from enum import EnumType
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from topology.config import Settings

Command = Callable[..., None]
# A flag that may be repeated, once for each.
_EACH: Final = {"readers": "--reader"}
_PLACEHOLDERS: Final = ((float, "NUMBER"), (int, "NUMBER"), (Path, "FILE"))


def with_settings(command: Command) -> Command:
    """`command` with a flag for each setting: those that were given are its argument `flags`, key to text."""

    @functools.wraps(command)
    def called(**arguments: Any) -> None:
        flags = {key: arguments.pop(key) for key in Settings.model_fields}
        command(flags={key: value for key, value in flags.items() if value not in (None, [])}, **arguments)

    signature = inspect.signature(command)
    own = [each for each in signature.parameters.values() if each.name != "flags"]
    added = [_parameter(key, field) for key, field in Settings.model_fields.items()]
    # Where typer looks for them; mypy does not know that functions have one.
    called.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    return called


def _parameter(key: str, field: FieldInfo) -> inspect.Parameter:
    name = "--" + key.replace("_", "-")
    text = f"{field.description}{_default(field.default)}"
    kind: Any = str | None
    declared = [name]
    placeholder = None if field.annotation is bool else _placeholder(field.annotation)
    if field.annotation is bool:
        kind, declared = bool | None, [f"{name}/--no-{name[2:]}"]
    if key in _EACH:
        kind, declared = list[str] | None, [_EACH[key], name]
    annotation = Annotated[kind, typer.Option(*declared, metavar=placeholder, help=text)]
    return inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _placeholder(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    if isinstance(annotation, EnumType):
        return "|".join(annotation)
    kinds = (annotation, *get_args(annotation))
    return next((shown for kind, shown in _PLACEHOLDERS if kind in kinds), "TEXT")


def _default(value: Any) -> str:
    if value in (None, (), PydanticUndefined):
        return ""
    if isinstance(value, bool):
        return " [default: yes]" if value else ""
    return f" [default: {', '.join(value) if isinstance(value, tuple) else value}]"
