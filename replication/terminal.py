"""Progress as a terminal shows it: apart from the others in `report`, for it takes rich."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from replication.report import compared_text, progress_text


class TerminalReporter:
    """A bar for each replica that is being copied, with the events above it."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console or Console(highlight=False),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._progress.start()

    def say(self, server: str, message: str) -> None:
        self._progress.console.print(f"{server}: {message}", markup=False, soft_wrap=True)

    def warn(self, server: str, message: str) -> None:
        self._progress.console.print(f"{server}: warning: {message}", style="yellow", markup=False, soft_wrap=True)

    def copied(self, server: str, rows: int, of_rows: int, size: int, seconds: float) -> None:
        self._show(server, rows, of_rows, progress_text(rows, of_rows, size, seconds))

    def compared(self, server: str, rows: int, of_rows: int) -> None:
        self._show(server, rows, of_rows, compared_text(rows, of_rows))

    def _show(self, server: str, rows: int, of_rows: int, detail: str) -> None:
        if server not in self._tasks:
            self._tasks[server] = self._progress.add_task(server, detail="")
        self._progress.update(self._tasks[server], completed=rows, total=max(of_rows, rows, 1), detail=detail)

    def close(self) -> None:
        self._progress.stop()
