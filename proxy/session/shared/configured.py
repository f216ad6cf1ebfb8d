"""The settings as those know them who go by them: rules for the router, limits for the monitor."""

import math
import re
from collections.abc import Sequence

from proxy.routing.rules import Rule, Rules
from proxy.sql.hints import Hint, seconds_of
from topology.config import ConfiguredRule, Settings
from topology.health import Limits
from topology.shares import Shares


def rules_of(configured: Sequence[ConfiguredRule]) -> Rules | None:
    """The rules of the configuration; None without any, so that they cost nothing."""
    return Rules([_rule(number, rule) for number, rule in enumerate(configured, 1)]) if configured else None


def limits_of(settings: Settings) -> Limits:
    """What replicas may be."""
    preferred = math.inf if settings.preferred_lag is None else settings.preferred_lag
    return Limits(settings.max_lag, settings.errant_transactions == "accept", preferred)


def shares_of(settings: Settings) -> Shares:
    """What replicas get of the reads."""
    weights = (each.partition("=") for each in settings.weights)
    return Shares({name: int(weight) for name, _, weight in weights}, settings.slow_start)


def timeout_of(settings: Settings, user: str) -> float:
    """For how many seconds a statement of `user` may run; 0 for no end."""
    timeouts = (each.rpartition("=") for each in settings.user_statement_timeouts)
    return next((float(seconds) for name, _, seconds in timeouts if name == user), settings.statement_timeout)


def _rule(number: int, rule: ConfiguredRule) -> Rule:
    wish = Hint(
        primary=rule.target == "primary",
        replica=rule.target == "replica" or rule.replica is not None,
        server=(rule.replica or "").lower(),
        max_lag=None if rule.max_lag is None else seconds_of(rule.max_lag),
        level=rule.consistency,
    )
    pattern = None if rule.pattern is None else re.compile(rule.pattern, re.IGNORECASE)
    timeout = 0.0 if rule.statement_timeout is None else seconds_of(rule.statement_timeout) or 0.0
    return Rule(number, rule.user, rule.schema_, rule.digest, pattern, wish, timeout)
