"""Waiting until servers answer, and telling apart one that is not up yet from one that will never let us in."""

import asyncio
from contextlib import suppress
from dataclasses import replace

from replication.errors import NotReady
from replication.report import Reporter
from topology.environment import Deployment
from topology.errors import AccessDenied, ManyreadsError, ServerError, ServerUnreachable, StatementRefused
from topology.servers import Server
from topology.sqlclient import connected

# ER_CON_COUNT_ERROR, ER_SERVER_SHUTDOWN, ER_SERVER_OFFLINE_MODE: this passes.
PASSING = frozenset({1040, 1053, 3032})
_PAUSE = 0.5
_SAY_EVERY = 10.0


async def wait_for_all(
    deployment: Deployment, within: float, reporter: Reporter
) -> tuple[Server, dict[str, Server | ManyreadsError]]:
    """Wait up to `within` seconds until every server answers.

    Returns the primary, and for each replica by name the server with the credentials that it accepts, or why it cannot
    be used. Raises what keeps the primary from being used.
    """
    deadline = asyncio.get_running_loop().time() + within
    answers = await asyncio.gather(
        *(_wait_with_any_login(server, deployment, deadline, reporter) for server in deployment.servers),
        return_exceptions=True,
    )
    primary, *replicas = (_expected(answer) for answer in answers)
    if isinstance(primary, ManyreadsError):
        raise primary
    return primary, {server.name: answer for server, answer in zip(deployment.replicas, replicas, strict=True)}


def other_logins(server: Server, deployment: Deployment) -> tuple[Server, ...]:
    """The server with each other login that may be valid there, the primary's first.

    A copied replica has the accounts of its primary, and keeps them when it becomes the primary itself.
    """
    logins = dict.fromkeys((each.user, each.password) for each in deployment.servers)
    return tuple(
        replace(server, user=user, password=password)
        for user, password in logins
        if (user, password) != (server.user, server.password)
    )


def _expected(answer: Server | BaseException) -> Server | ManyreadsError:
    if isinstance(answer, Server | ManyreadsError):
        return answer
    raise answer


async def _wait_with_any_login(server: Server, deployment: Deployment, deadline: float, reporter: Reporter) -> Server:
    try:
        return await _wait_for(server, deadline, reporter)
    except AccessDenied as denied:
        for login in other_logins(server, deployment):
            with suppress(AccessDenied):
                return await _wait_for(login, deadline, reporter)
        raise AccessDenied(
            f"{denied.problem}; the credentials of the other servers are refused there as well",
            f"give the credentials of {server.name} as they are now",
        ) from None


async def _wait_for(server: Server, deadline: float, reporter: Reporter) -> Server:
    loop = asyncio.get_running_loop()
    say_at = 0.0
    while True:
        try:
            async with connected(server):
                return server
        except AccessDenied:
            raise
        except ServerError as error:
            _raise_unless_passing(error)
            if loop.time() >= deadline:
                raise NotReady(
                    f"{server} did not answer in time: {error.problem}",
                    "check that it runs and listens there, or wait longer with --wait SECONDS",
                ) from error
            if loop.time() >= say_at:
                reporter.say(server.name, f"waiting for it: {error.problem}")
                say_at = loop.time() + _SAY_EVERY
        await asyncio.sleep(min(_PAUSE, max(0.0, deadline - loop.time())))


def _raise_unless_passing(error: ServerError) -> None:
    if isinstance(error, ServerUnreachable):
        return
    if not isinstance(error, StatementRefused) or error.errno not in PASSING:
        raise error
