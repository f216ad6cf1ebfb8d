"""Where a driver connects to, and as whom."""

from dataclasses import dataclass, field
from typing import Final

SCHEMA: Final = "drivers_test"
LARGEST_PACKET: Final = 64 * 1024 * 1024
UNICODE: Final = "Grüße, 世界, 🎉 'quoted' \"twice\" \\ %"
TABLE: Final = """CREATE TABLE item (
    id INT PRIMARY KEY AUTO_INCREMENT, amount DECIMAL(10, 2), ratio DOUBLE, big BIGINT UNSIGNED, moment DATETIME(6),
    day DATE, text VARCHAR(200), content LONGBLOB, nothing INT
) CHARACTER SET utf8mb4"""


@dataclass(frozen=True)
class Endpoint:
    """A server, or the proxy in front of it."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
