"""The log of statements: those that took long, and one in so many; an example of each digest; and spans. All only when
asked for, and the log and examples without literals unless these are asked for, too."""

import logging
from typing import Any, Final

from proxy.logs import STATEMENTS, told
from proxy.session.shared.ran import Ran
from proxy.session.shared.spans import Spans
from proxy.sql.digest import digest_id, digest_text
from proxy.wire.errors import MalformedPacket
from topology.config import Settings

_LONGEST_TEXT: Final = 4096


class Journal:
    """That of one process. As long as it is not `active`, statements need not be noted."""

    def __init__(self, settings: Settings, spans: Spans | None = None) -> None:
        self._passed = 0
        self.spans = spans
        self.heed(settings)

    def heed(self, settings: Settings) -> None:
        """Go by other settings from now on."""
        self._longest = settings.long_query_time
        self._share = settings.log_sample
        self._texts = settings.statement_texts
        logs = self._longest is not None or self._share > 0 or self._texts
        self.active = logs or self.spans is not None

    def note(self, ran: Ran) -> None:
        """A statement has run."""
        if self.spans is not None:
            self.spans.note(ran)
        if self._texts and not ran.request.statement.tally.example:
            ran.request.statement.tally.example = _text(ran)
        self._passed += 1
        if self._longest is not None and ran.seconds >= self._longest:
            told(STATEMENTS, logging.WARNING, "slow statement", **self._fields(ran))
        elif self._share and not self._passed % self._share:
            told(STATEMENTS, logging.INFO, "statement", **self._fields(ran))

    def _fields(self, ran: Ran) -> dict[str, Any]:
        request = ran.request
        digest = digest_text(request.statement.tally.key)
        fields = {
            "session": ran.whose.address,
            "user": ran.whose.user,
            "server": ran.server.name if ran.server is not None else "",
            "reason": request.route.reason,
            "seconds": round(ran.seconds, 6),
            "queued": round(ran.queued, 6),
            "served": round(ran.served, 6),
            "errno": ran.errno,
            "rows": ran.rows,
            "digest_id": digest_id(digest),
            "digest": digest[:_LONGEST_TEXT],
        }
        return {**fields, "text": _text(ran)} if self._texts else fields


def _text(ran: Ran) -> str:
    try:
        text = ran.text
    except MalformedPacket:
        # Only the beginning of a large command is kept, which may end within its attributes.
        return ""
    return text[:_LONGEST_TEXT].decode("utf-8", "replace")
