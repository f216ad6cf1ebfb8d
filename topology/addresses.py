"""Addresses as people write them. Pure."""

from ipaddress import ip_address


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of host:port, the host of an IPv6 address without its brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def endpoint(host: str, port: int) -> str:
    """host:port, with brackets about an IPv6 address (RFC 3986, section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`, a name or an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
