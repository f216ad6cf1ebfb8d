"""Logging one client in: greets it, has it verified, has its session begun, and tells it why when that fails."""

import asyncio
import logging
from dataclasses import replace

from proxy.accounts.requirements import Shown, shown_by
from proxy.errors import ClientFault, SessionError
from proxy.logs import audit
from proxy.parting import part
from proxy.session.core.understood import understood
from proxy.session.login.arrival import ClientChannel, arrive
from proxy.session.login.begin import Beginning
from proxy.session.login.changeuser import UserChange
from proxy.session.login.judge import Judge
from proxy.session.shared.context import Context
from proxy.transport.tls import TlsFailed
from proxy.wire import constants as c
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import agreed
from proxy.wire.replies import Err, err_payload
from proxy.wire.serverlogin import ServerLogin

log = logging.getLogger(__name__)


async def serve_login(context: Context, channel: ClientChannel) -> None:
    """Log the client in, or tell it why not and close."""
    try:
        await _log_in(context, channel)
    except SessionError as error:
        log.info("%s: refused: %s", channel.name, error)
        audit("login refused", client=channel.origin.address, error=error.err.message)
        err = understood(error.err, channel.attributes)
        # Before the greeting servers send none: nothing is known of the client's protocol.
        channel.send(err_payload(err if channel.begun else replace(err, sqlstate="")))
        channel.transport.close()
    except MalformedPacket as error:
        log.warning("%s: malformed packet during login: %s; connection closed", channel.name, error)
        channel.send(err_payload(Err(c.ER_HANDSHAKE, "Bad handshake", "08S01")))
        part(channel.transport)
    except TlsFailed as error:
        log.warning("%s: %s; connection closed", channel.name, error)
        channel.transport.abort()
    except ConnectionError as error:
        log.debug("%s: gone during login: %s", channel.name, error)
        channel.transport.abort()
    except BaseException:
        channel.transport.abort()
        raise


async def _log_in(context: Context, channel: ClientChannel) -> None:
    try:
        async with asyncio.timeout(context.settings.login_timeout):
            arrival = await arrive(context, channel)
            judge = Judge(context, channel, channel.origin, _shown(channel))
            login = ServerLogin(judge.around(arrival.nonce, arrival.private, arrival.primary))
            response = agreed(login.response(arrival.response), arrival.offered)
            channel.attributes = response.attributes
            accept = await judge.verify(login, response, arrival.primary)
    except TimeoutError:
        raise ClientFault(Err(c.ER_HANDSHAKE, "The login took too long", "08S01")) from None
    channel.stranger = False
    beginning = Beginning(context, channel, judge, arrival.connection_id, arrival.nonce)
    changer = UserChange(
        context=context,
        response=response,
        flags=login.flags,
        nonce=arrival.nonce,
        origin=channel.origin,
        name=channel.name,
        private=arrival.private,
        primary=arrival.primary,
        cache=arrival.cache,
        shown=judge.shown,
    )
    await beginning.begin(response, accept, arrival.primary, arrival.cache, changer)


def _shown(channel: ClientChannel) -> Shown:
    tls = channel.tls
    return Shown() if tls is None else shown_by(tls.cipher(), tls.peer_certificate())
