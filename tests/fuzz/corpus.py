"""The corpus that is kept: for each target one file of inputs, a line of hexadecimal digits each.

It is the smallest set that reaches everything which was ever reached: what real servers and clients sent, and what the
fuzzer made of it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

DIRECTORY: Final = Path(__file__).with_name("corpus")


def read(target: str, directory: Path = DIRECTORY) -> list[bytes]:
    """The inputs of a target; none if it has no file."""
    file = directory / f"{target}.hex"
    return [bytes.fromhex(line) for line in file.read_text().splitlines()] if file.exists() else []


def write(target: str, inputs: Iterable[bytes], directory: Path = DIRECTORY) -> None:
    """Replace the inputs of a target."""
    lines = (data.hex() + "\n" for data in sorted(set(inputs), key=lambda data: (len(data), data)))
    (directory / f"{target}.hex").write_text("".join(lines))


def unpack(inputs: Iterable[bytes], directory: Path) -> None:
    """Each input as a file of its own, as libFuzzer wants them."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs):
        (directory / f"{number:05}").write_bytes(data)


def packed(directory: Path) -> list[bytes]:
    """What libFuzzer left in a directory."""
    return [file.read_bytes() for file in sorted(directory.iterdir())] if directory.exists() else []
