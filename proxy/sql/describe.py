"""Effects in a few words, for people who want to know why."""

from collections.abc import Callable
from typing import Any, Final

from proxy.sql import effects as e


def describe(effect: e.Effect) -> str:
    """One effect, such as `pin temp-table t`; `?` stands for what the text does not tell."""
    return _DESCRIBE[type(effect)](effect)


def _names(effect: e.SetNames) -> str:
    collation = f" collate {effect.collation}" if effect.collation else ""
    return f"{'names' if effect.connection else 'character set'} {effect.charset}{collation}"


def _transactions(effect: e.SetTransaction) -> str:
    access = {None: "", True: "read only", False: "read write"}[effect.read_only]
    what = " ".join(word for word in (effect.isolation.lower(), access) if word)
    return f"{'transactions' if effect.session else 'next transaction'} {what}"


def _begin(effect: e.Begin) -> str:
    access = {None: "", True: " read only", False: " read write"}[effect.read_only]
    return f"begin{access}{' with snapshot' if effect.snapshot else ''}"


def _pin(effect: e.Pin | e.Unpin) -> str:
    verb = "pin" if isinstance(effect, e.Pin) else "unpin"
    name = ".".join(part for part in effect.table if part) or effect.name
    return f"{verb} {effect.reason} {name}".rstrip()


def _prepare(effect: e.Prepare) -> str:
    inner = effect.statement
    if inner is None:
        return f"prepare {effect.name}: ?"
    what = (inner.reason, *(describe(one) for one in inner.effects))
    return f"prepare {effect.name}: {', '.join(what)}"


_DESCRIBE: Final[dict[type, Callable[[Any], str]]] = {
    e.SetVariable: lambda effect: f"set {effect.name} = {effect.value or '?'}",
    e.SetNames: _names,
    e.SetRole: lambda effect: f"role {effect.roles}",
    e.SetUserVariable: lambda effect: f"set @{effect.name or '*'} = {effect.value or '?'}",
    e.SetTransaction: _transactions,
    e.UseSchema: lambda effect: f"use {effect.name}",
    e.DropSchema: lambda effect: f"drop schema {effect.name or '?'}",
    e.Begin: _begin,
    e.End: lambda effect: "end and chain" if effect.chain else "end",
    e.Pin: _pin,
    e.Unpin: _pin,
    e.Hold: lambda effect: f"hold {effect.reason}",
    e.Renamed: lambda effect: f"renamed {'.'.join(part for part in effect.table if part)}",
    e.Prepare: _prepare,
    e.Execute: lambda effect: f"execute {effect.name}",
    e.Deallocate: lambda effect: f"deallocate {effect.name}",
}
