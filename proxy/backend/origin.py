"""Where a client comes from, and how servers are told."""

from dataclasses import dataclass
from typing import Final

from proxy.wire.attributes import with_attribute
from proxy.wire.proxyprotocol import Endpoint, header_1, header_2, local_1, local_2
from topology.servers import ProxyProtocol, Server

# A connection attribute, seen in performance_schema.session_connect_attrs.
CLIENT_ADDRESS: Final = "manyreads_client_address"


@dataclass(frozen=True, slots=True)
class Origin:
    """A client's address and port, and those of the proxy to which it connected."""

    client: Endpoint
    proxy: Endpoint

    @property
    def address(self) -> str:
        """The client's IP address."""
        return self.client[0]


def introduction(server: Server, origin: Origin | None) -> bytes:
    """What is sent to a server before its greeting; without an origin the connection is the proxy's own."""
    if server.proxy_protocol is ProxyProtocol.OFF:
        return b""
    if server.proxy_protocol is ProxyProtocol.V1:
        return header_1(origin.client, origin.proxy) if origin else local_1()
    return header_2(origin.client, origin.proxy) if origin else local_2()


def introduced(attributes: bytes, origin: Origin) -> bytes:
    """A client's connection attributes, and its address, which the server would not see otherwise."""
    return with_attribute(attributes, CLIENT_ADDRESS, origin.address)
