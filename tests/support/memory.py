"""How much memory a process takes while something goes on."""

from pathlib import Path

MEBIBYTE = 1024 * 1024


class Growth:
    """The most memory that a process took since this was made, beyond what it had then. Linux only."""

    def __init__(self, pid: int) -> None:
        self._directory = Path("/proc") / str(pid)
        # Resets the high-water mark (proc(5)).
        (self._directory / "clear_refs").write_text("5")
        self.before = self._read("VmRSS")

    @property
    def most(self) -> int:
        """In bytes."""
        return self._read("VmHWM") - self.before

    @property
    def now(self) -> int:
        """In bytes; what is left of it."""
        return self._read("VmRSS") - self.before

    def __repr__(self) -> str:
        return f"{self.before / MEBIBYTE:.1f} MiB, then at most {self.most / MEBIBYTE:+.1f}"

    def _read(self, name: str) -> int:
        status = (self._directory / "status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024
