"""The one error of the wire layer."""


class MalformedPacket(Exception):
    """Bytes that no MySQL client or server may send at this point; the text says what was expected."""
