"""The trace of the client is found in comments and query attributes, and nowhere else."""

import pytest

from proxy.routing.forms import Form
from proxy.routing.policy import Target, route_to
from proxy.session.core.prepared import Prepared
from proxy.session.core.request import Request
from proxy.session.shared.ran import Ran, Whose
from proxy.session.shared.traceparent import parent_of
from proxy.sql.classify import MAX_PARSED
from proxy.sql.statement import primary
from proxy.tracing.span import Parent
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from proxy.wire.primitives import lenenc_bytes
from topology.servers import Role, Server

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALUE = f"00-{TRACE}-{SPAN}-01"
FOUND = Parent(int(TRACE, 16), int(SPAN, 16), sampled=True)
OTHER = VALUE.replace("4bf9", "aaaa")
STRING = 253


def ran(packet: bytes, prepared: Prepared | None = None, *, attributes: bool = False) -> Ran:
    made = Request(packet, primary("other"), route_to(Target.PRIMARY, "other"), Reply.RESULT, prepared)
    server = Server("dbwrite", "h", 1, Role.PRIMARY)
    return Ran(made, server, Whose("u", "h:1", attributes=attributes), 0, 0, 0.0, 0.0, 0.0)


def of_text(text: str) -> Parent | None:
    return parent_of(ran(frame(b"\x03" + text.encode(), 0)))


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT 1 /*traceparent='{VALUE}'*/",
        f"/* traceparent = '{VALUE}' */ SELECT 1",
        f"SELECT 1 /*action='a%2Fb',traceparent='{VALUE}',tracestate='x%3D1'*/;",
        f"SELECT 1 /*traceparent='{OTHER}'*/ /*traceparent='{VALUE}'*/",
        f"SELECT '/*', 1 /*traceparent='{VALUE}'*/",
    ],
)
def test_comments(text: str) -> None:
    assert of_text(text) == FOUND


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        f"SELECT '/*traceparent=''{VALUE}''*/'",
        f"SELECT \"/*traceparent='{VALUE}'*/\"",
        f"SELECT 1 /*xtraceparent='{VALUE}'*/",
        f"SELECT 1 /*traceparent='{VALUE}x'*/",
        f"SELECT 1 /*traceparent='{VALUE.upper()}'*/",
        f"SELECT 1 /*traceparent='ff{VALUE[2:]}'*/",
        f"SELECT 1 /*traceparent='{VALUE.replace(TRACE, '0' * 32)}'*/",
        f"SELECT 1 /*traceparent='{VALUE.replace(SPAN, '0' * 16)}'*/",
        f"SELECT '{'x' * MAX_PARSED}' /*traceparent='{VALUE}'*/",
    ],
)
def test_what_is_none(text: str) -> None:
    assert of_text(text) is None


def test_flags_tell_whether_it_is_sampled() -> None:
    assert of_text(f"SELECT 1 /*traceparent='{VALUE[:-2]}00'*/") == Parent(FOUND.trace, FOUND.span, sampled=False)
    assert of_text(f"SELECT 1 /*traceparent='{VALUE[:-2]}03'*/") == FOUND


def types(*names: bytes) -> bytes:
    return b"".join(STRING.to_bytes(2, "little") + lenenc_bytes(name) for name in names)


def test_attributes_of_queries_come_before_comments() -> None:
    body = b"\x03\2\1\0\1" + types(b"a", b"traceparent") + lenenc_bytes(b"x") + lenenc_bytes(VALUE.encode())
    packet = frame(body + f"SELECT 1 /*traceparent='{OTHER}'*/".encode(), 0)
    assert parent_of(ran(packet, attributes=True)) == FOUND
    without = frame(f"\x03\0\1SELECT 1 /*traceparent='{VALUE}'*/".encode(), 0)
    assert parent_of(ran(without, attributes=True)) == FOUND
    assert parent_of(ran(frame(b"\x03\1\1traceparent", 0), attributes=True)) is None


def execution(*names: bytes, bound: bool = True) -> bytes:
    """A COM_STMT_EXECUTE with a string for each of these names, the last of which is a trace's."""
    head = b"\x17" + bytes(4) + b"\x08" + (1).to_bytes(4, "little")
    values = [b"x"] * (len(names) - 1) + [VALUE.encode()]
    told = b"\1" + types(*names) if bound else b"\0"
    return frame(head + bytes((len(names), 0)) + told + b"".join(map(lenenc_bytes, values)), 0)


def prepared(text: str, parameters: int, *, named: bool = True) -> Prepared:
    return Prepared(1, frame(b"\x16" + text.encode(), 0), primary("other"), parameters, "", 0, Form(), named=named)


def test_attributes_of_executions() -> None:
    packet = execution(b"", b"traceparent")
    assert parent_of(ran(packet, prepared("SELECT ?", 1), attributes=True)) == FOUND
    assert parent_of(ran(execution(b"traceparent"), prepared("SELECT 1", 0), attributes=True)) == FOUND
    # A parameter that is called so is none, nor is one whose value cannot be found.
    assert parent_of(ran(execution(b"traceparent"), prepared("SELECT ?", 1), attributes=True)) is None
    assert parent_of(ran(execution(b"", b"traceparent", bound=False), prepared("SELECT ?", 1), attributes=True)) is None
    assert parent_of(ran(packet[:-1], prepared("SELECT ?", 1), attributes=True)) is None


def test_executions_with_long_data_have_values_that_are_not_there() -> None:
    statement = prepared("SELECT ?", 1)
    statement.held.append(b"\x18")
    assert parent_of(ran(execution(b"", b"traceparent"), statement, attributes=True)) is None


def test_comments_of_prepared_statements() -> None:
    commented = prepared(f"SELECT ? /*traceparent='{VALUE}'*/", 1)
    assert parent_of(ran(execution(b"", b"other"), commented, attributes=True)) == FOUND
    assert parent_of(ran(frame(b"\x17" + bytes(9), 0), commented)) == FOUND
    assert parent_of(ran(frame(b"\x17" + bytes(9), 0), prepared("SELECT ?", 1))) is None
