"""Files that the proxy keeps of what it has made: written whole, or not at all."""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def keep(file: Path, content: bytes, mode: int) -> None:
    """Write a file, unless somebody else just did. Raises OSError."""
    _write(file, content, mode, os.link)


def replace(file: Path, content: bytes, mode: int) -> None:
    """Write a file in place of one that may be there. Raises OSError."""
    _write(file, content, mode, os.replace)


def _write(file: Path, content: bytes, mode: int, put: Callable[[Path, Path], None]) -> None:
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as handle:
            handle.write(content)
        with contextlib.suppress(FileExistsError):
            put(draft, file)
    finally:
        draft.unlink(missing_ok=True)
