"""What a run would do, step by step, with the SQL and without a password. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from replication.actions import Action, Method, ReplicaPlan, Users
from replication.comparison.repair import REWRITING
from replication.copy.shadow import shadow
from replication.dataguards import losses
from replication.detour import source_at
from replication.facts import Marker, Phase, ServerFacts
from replication.statements import (
    HIDDEN,
    LIVE,
    SHADOW,
    Dialect,
    Source,
    Statement,
    account,
    clone_from,
    dialect,
    text,
    write_marker,
)
from replication.succession import Succession
from topology.errors import ManyreadsError

Line = tuple[str, str]
_LATER = "<GTID of the snapshot>"


def describe(
    primary: ServerFacts,
    decisions: Sequence[ReplicaPlan | ManyreadsError],
    source: Source,
    users: Users,
    method: Method,
) -> Iterator[Line]:
    """Pairs of server name and line. Replicas for which nothing may be done are left out: their error is reported."""
    shown = replace(source, password=HIDDEN)
    statements = dialect(primary.vendor)
    plans = [decision for decision in decisions if isinstance(decision, ReplicaPlan)]
    if any(
        plan.action in (Action.COPY, Action.SHADOW, Action.RENEW, Action.ATTACH, Action.REPOINT, Action.DETOUR)
        for plan in plans
    ):
        yield primary.name, "make the replication account, unless it is there and fits:"
        yield from _sql(primary.name, statements.create_replicator(shown.user, shown.password))
    for plan in plans:
        yield plan.facts.name, f"{plan.action}: {plan.reason}"
        for warning in plan.warnings:
            yield plan.facts.name, f"warning: {warning}"
        yield from _steps(primary, plan, shown, users, method)


def _steps(primary: ServerFacts, plan: ReplicaPlan, source: Source, users: Users, method: Method) -> Iterator[Line]:
    statements = dialect(primary.vendor)
    name = plan.facts.name
    if plan.new_server_id is not None:
        yield from _sql(name, statements.server_id(plan.new_server_id))
    match plan.action:
        case Action.COPY if method is Method.CLONE:
            yield from _cloning(primary, plan.facts, source, statements)
            yield from _attaching(plan.facts, source, _LATER, statements)
        case Action.COPY:
            yield from _copying(primary, plan.facts, users, statements)
            yield from _attaching(plan.facts, source, _LATER, statements)
        case Action.SHADOW:
            yield from _exchanging(primary, plan.facts, users, statements)
            yield from _attaching(plan.facts, source, _LATER, statements)
        case Action.RENEW:
            yield from _renewing(primary, plan.facts, statements)
            yield from _attaching(plan.facts, source, _LATER, statements)
        case Action.ATTACH:
            gtid = plan.facts.marker.gtid if plan.facts.marker else ""
            yield from _attaching(plan.facts, source, gtid, statements)
        case Action.REPOINT:
            yield from _sql(name, statements.repoint(source))
        case Action.DETOUR if plan.lender is not None:
            yield from _closing(name, Marker(primary.identity, Phase.DETOUR, plan.facts.applied), statements)
            yield from _sql(name, statements.repoint(source_at(plan.lender, source)))
            yield name, f"wait until it has all that {plan.lender.name} has, then:"
            yield from _sql(name, statements.repoint(source))
        case Action.RESTART:
            yield from _sql(name, statements.restart())
        case _:
            return
    yield name, f"wait until it has caught up with {primary.name}, then:"
    yield from _closing(name, Marker(primary.identity, Phase.DONE, "<GTID reached>"), statements)


def _closing(name: str, marker: Marker, statements: Dialect) -> Iterator[Line]:
    yield from _sql(name, [*statements.pause(), *statements.writable()])
    yield from _marking(name, marker)
    yield from _sql(name, [*statements.read_only(), *statements.resume()])


def _copying(primary: ServerFacts, target: ServerFacts, users: Users, statements: Dialect) -> Iterator[Line]:
    name = target.name
    yield from _sql(name, statements.forget_source([channel.name for channel in target.channels]))
    yield from _sql(name, statements.writable())
    yield from _marking(name, Marker(primary.identity, Phase.COPYING))
    if target.user_schemas:
        yield name, f"drop all its schemas, losing:\n{losses(target)}"
    for schema in primary.user_schemas:
        yield name, f"copy schema {schema.name}: {schema.tables} tables, about {schema.rows:,} rows"
    yield from _accounts(primary, name, users)
    yield from _marking(name, Marker(primary.identity, Phase.ATTACHING, _LATER))


def _cloning(primary: ServerFacts, target: ServerFacts, source: Source, statements: Dialect) -> Iterator[Line]:
    name = target.name
    yield from _sql(name, statements.forget_source([channel.name for channel in target.channels]))
    yield from _sql(name, statements.writable())
    yield from _marking(name, Marker(primary.identity, Phase.COPYING))
    yield name, f"  SET GLOBAL clone_valid_donor_list = {text(f'{source.host}:{source.port}')};"
    who = account(primary.server.user, source.host)
    yield from _sql(name, [clone_from(who, source.port, HIDDEN, tls=primary.has_tls)])
    if target.user_schemas:
        yield name, f"with that all its schemas are dropped, losing:\n{losses(target)}"
    yield name, "wait until its server has started anew"
    yield from _marking(name, Marker(primary.identity, Phase.ATTACHING, _LATER))


def _exchanging(primary: ServerFacts, target: ServerFacts, users: Users, statements: Dialect) -> Iterator[Line]:
    name = target.name
    yield from _sql(name, statements.writable())
    yield from _marking(name, Marker(primary.identity, Phase.COPYING), SHADOW)
    for schema in primary.user_schemas:
        yield name, f"copy schema {schema.name} into {shadow(schema.name)}: about {schema.rows:,} rows"
    yield from _sql(name, statements.stop() if target.channels else ())
    yield from _marking(name, Marker(primary.identity, Phase.COPYING))
    yield name, "drop triggers, events, and what views and routines differ"
    yield name, "  RENAME TABLE <each live table> TO <one set aside>, <each shadow table> TO <its live name>;"
    yield name, f"drop what was set aside, losing:\n{losses(target)}"
    yield from _sql(name, statements.forget_source([channel.name for channel in target.channels]))
    yield from _accounts(primary, name, users)
    yield from _marking(name, Marker(primary.identity, Phase.ATTACHING, _LATER))


def _renewing(primary: ServerFacts, target: ServerFacts, statements: Dialect) -> Iterator[Line]:
    name = target.name
    yield from _sql(name, statements.stop())
    yield name, f"compare all rows with those of {primary.name}"
    yield from _sql(name, statements.forget_source([channel.name for channel in target.channels]))
    yield from _sql(name, statements.writable())
    yield from _marking(name, Marker(primary.identity, Phase.COPYING))
    for sql in REWRITING:
        yield name, f"  {sql};"
    yield from _marking(name, Marker(primary.identity, Phase.ATTACHING, _LATER))


def _accounts(primary: ServerFacts, name: str, users: Users) -> Iterator[Line]:
    if users is not Users.KEEP:
        spared = f", but for {name}'s own login" if users is Users.MERGE else ""
        yield name, f"replace its accounts with those of {primary.name}{spared}"


def _marking(name: str, marker: Marker, about: int = LIVE) -> Iterator[Line]:
    yield name, "  SET SESSION sql_log_bin = 0;"
    statements = write_marker(marker, about)
    # The schema and the table are made by the first one.
    yield from _sql(name, statements if marker.phase is Phase.COPYING else statements[-1:])


def _attaching(target: ServerFacts, source: Source, gtid: str, statements: Dialect) -> Iterator[Line]:
    yield from _sql(target.name, statements.follow(source, gtid, has_binlog=target.on("log_bin")))
    yield from _sql(target.name, statements.start())


def describe_change(change: Succession, after: Source, drain: float) -> Iterator[Line]:
    """What a change of the primary would do, in order."""
    words, old, new = dialect(change.old.vendor), change.old, change.new
    yield old.name, f"wait up to {drain:g} s for open transactions, then:"
    yield from _marking(old.name, Marker(new.identity, Phase.DONE, old.gtid))
    yield from _sql(old.name, [*words.read_only(), *words.block_commits()])
    yield new.name, f"wait until it has all that {old.name} has, then:"
    yield from _sql(new.name, words.forget_source([channel.name for channel in new.channels]))
    yield from _sql(new.name, words.accept_writes())
    yield old.name, "end what transactions are left"
    yield from _sql(old.name, words.let_commit())
    shown = replace(after, password=HIDDEN)
    yield from _sql(old.name, words.follow_on(shown, "<GTID reached>"))
    for each in change.others:
        yield from _sql(each.name, words.repoint(shown))
        yield from _marking(each.name, Marker(new.identity, Phase.DONE, "<GTID reached>"))
    yield new.name, f"wake up the events that run on {old.name} now"


def _sql(name: str, statements: Sequence[Statement]) -> Iterator[Line]:
    for statement in statements:
        yield name, f"  {statement};"
