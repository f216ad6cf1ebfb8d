"""Spans of statements for OpenTelemetry, which is an extra: only `otlp` imports it, and only if tracing is on."""
