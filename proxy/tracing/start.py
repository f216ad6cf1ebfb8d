"""Whether spans are sent, and by whom."""

from importlib.util import find_spec
from typing import Final

from proxy.tracing.span import Exporter
from topology.config import Settings
from topology.errors import ConfigError

_NEEDED: Final = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")


def require_packages(settings: Settings) -> None:
    """Raise ConfigError if spans are to be sent and what sends them is not installed."""
    if settings.tracing != "off" and not all(map(_installed, _NEEDED)):
        raise ConfigError(
            f"tracing = {settings.tracing!r} needs OpenTelemetry, which is not installed",
            "pip install 'manyreads[otel]', or set tracing = 'off'",
        )


def exporter_of(settings: Settings) -> Exporter | None:
    """Who sends the spans of this process; None if nobody does. Raises ConfigError."""
    require_packages(settings)
    if settings.tracing == "off":
        return None
    # Without the extra it cannot be imported, and it takes a moment and some MiB.
    from proxy.tracing.otlp import Otlp

    return Otlp(settings.tracing_endpoint)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
