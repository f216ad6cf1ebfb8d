"""A reader who does what the pages say: has a directory, a shell, a client, and servers of its own."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pymysql

from replication.sandbox import Cluster
from tests.support.clients import Connection, Rows, direct, run
from tests.support.pages import ROOT, Block, Step, pattern
from tests.support.waiting import DEADLINE, wait_until

_OURS = re.compile(
    r"(?P<set>(?:\w+=(?:\"[^\"]*\"|\S+) )*)(?:python3? -m (?P<module>[\w.]+)|manyreads)(?= |$)(?P<rest>.*)"
)
# A shell's business.
_SHELL = re.compile(r"[|&;<>]|\$\(")
# What runs until it is stopped.
_STAYS = {
    ("proxy",): "proxy",
    ("manyreads", "run"): "proxy",
    ("manyreads", "replication", "watch"): "watch",
    ("replication.watch",): "watch",
}
_PROXY = "manyreads run --environment environment.json"


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended, or one that stays (0): what it printed."""

    code: int
    output: str


@dataclass
class Reader:
    """`texts` are the names and numbers of the pages, and what the reader has in their place."""

    directory: Path
    texts: Mapping[str, str]
    cluster: Cluster
    variables: Mapping[str, str]
    prompt: subprocess.Popen[str]
    staying: dict[str, tuple[int, Path]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    session: Connection | None = None
    said: list[str] = field(default_factory=list)

    def own(self, text: str) -> str:
        """A text of a page, with the reader's own names in it."""
        longest_first = sorted(self.texts, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, longest_first)), lambda match: self.texts[match[0]], text)

    def page(self, text: str) -> str:
        """An output, with the names of the pages in it."""
        for there, here in self.texts.items():
            if re.search(r"\d:\d", there):
                text = text.replace(here, there)
        return text

    def command(self, text: str) -> Done:
        """Run a command, or start one that stays."""
        done = self._command(self.own(text))
        self.said.append(done.output)
        return done

    def _command(self, own: str) -> Done:
        match = _OURS.fullmatch(own)
        if match is None or _SHELL.search(own):
            return self._shell(own)
        words = [match["module"] or "manyreads", *shlex.split(match["rest"])]
        variables = dict(pair.split("=", 1) for pair in shlex.split(match["set"]))
        kind = next((kind for first, kind in _STAYS.items() if tuple(words[: len(first)]) == first), None)
        if kind is None or words[1] in ("check", "config", "explain"):
            return self._here(words, variables)
        return self._start(words, variables, kind)

    def _shell(self, text: str) -> Done:
        command = ["bash", "-c", text]
        done = subprocess.run(
            command, cwd=self.directory, env=self.variables, capture_output=True, text=True, timeout=DEADLINE
        )
        return Done(done.returncode, done.stdout + done.stderr)

    def _here(self, words: list[str], variables: Mapping[str, str]) -> Done:
        output = self.directory / "output"
        return Done(self._ended(self._begun(words, variables, output)), output.read_text(encoding="utf-8"))

    def _begun(self, words: list[str], variables: Mapping[str, str], output: Path) -> int:
        """The number of the process."""
        own = {**self.variables, **variables}
        return self._asked({"words": words, "directory": str(self.directory), "variables": own, "output": str(output)})

    def _ended(self, number: int) -> int:
        """The exit code of a process that ends."""
        return self._asked(number)

    def _asked(self, request: object) -> int:
        assert self.prompt.stdin is not None
        assert self.prompt.stdout is not None
        self.prompt.stdin.write(json.dumps(request) + "\n")
        self.prompt.stdin.flush()
        return int(self.prompt.stdout.readline())

    def _start(self, words: list[str], variables: Mapping[str, str], kind: str) -> Done:
        """What stays takes the place of one of its kind: they have the same ports."""
        self.stop(kind)
        log = self.directory / f"log-{len(list(self.directory.glob('log-*')))}"
        log.touch()
        self.staying[kind] = (self._begun(words, {**self._listen(words), **variables}, log), log)
        # A proxy may find the servers before it listens.
        healthy = len(self.cluster.servers) if kind == "proxy" else 0

        def ready() -> bool:
            told = log.read_text()
            return "serving " in told and told.count("-> healthy") >= healthy

        wait_until(ready, " ".join(words), log.read_text)
        return Done(0, log.read_text())

    def _listen(self, words: list[str]) -> dict[str, str]:
        """Where a proxy listens that is not told: its default is everybody's."""
        told = "--listen" in words or "--config" in words or words[0] == "replication.watch"
        return {} if told else {"MANYREADS_LISTEN": self.own("127.0.0.1:6033")}

    def stop(self, kind: str | None = None) -> None:
        """Ctrl-C for what stays: one of a kind, or all. It has to end as it should."""
        for name in [kind] if kind is not None else list(self.staying):
            if name == "proxy" and self.session is not None:
                self.session.close()
                self.session = None
            if name in self.staying:
                number, log = self.staying.pop(name)
                os.kill(number, signal.SIGINT)
                assert self._ended(number) == 0, log.read_text()
                self.said.append(log.read_text())

    def leave(self) -> None:
        """End what stays, however it is."""
        for number, _ in self.staying.values():
            os.kill(number, signal.SIGKILL)

    def statement(self, text: str, *, proxied: bool = False) -> Rows:
        """Run a statement: through the proxy if it is about that, or if told so, else on the primary."""
        if proxied or re.match(r"(SHOW )?PROXY |EXPLAIN ROUTE ", text):
            return run(self.client(), self.own(text))
        with direct(self.cluster, self.cluster.servers[0]) as client:
            return run(client, self.own(text))

    def administer(self, name: str, text: str) -> None:
        """Run a statement on one of the servers."""
        with direct(self.cluster, self.cluster.server(name)) as client:
            run(client, text)

    def client(self) -> Connection:
        """The reader's session with the proxy, which is started if none runs."""
        if "proxy" not in self.staying:
            self.command(_PROXY)
        if self.session is None:
            host, port = self.own("127.0.0.1:6033").split(":")
            primary = self.cluster.servers[0]
            self.session = pymysql.connect(
                host=host, port=int(port), user=primary.user, password=primary.password, autocommit=True
            )
        return self.session

    def write(self, block: Block) -> None:
        """Make the file that a block shows. What names the servers is as the sandbox has it."""
        content = block.text
        if block.language == "json":
            own = json.loads(self.cluster.environment_file.read_text(encoding="utf-8"))
            assert json.loads(content).keys() <= own.keys(), block
            content = json.dumps(own)
        (self.directory / block.file).write_text(self.own(content), encoding="utf-8")


def agrees(reader: Reader, step: Step, output: str) -> bool:
    """Whether an output is as the page shows it."""
    return not step.shown or pattern(step.shown).fullmatch(reader.page(output).rstrip() + "\n") is not None


def as_table(rows: Rows) -> str:
    """Rows as a page shows them."""
    return "\n".join("| " + " | ".join("NULL" if cell is None else str(cell) for cell in row) + " |" for row in rows)


@contextmanager
def prompt() -> Iterator[subprocess.Popen[str]]:
    """Where commands of this project are run, see tests/support/prompt.py."""
    command = [sys.executable, "-m", "tests.support.prompt"]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def own_variables(directory: Path) -> dict[str, str]:
    """The environment of the reader's shell: `python` and `manyreads` are this checkout's."""
    programs = directory / "bin"
    programs.mkdir()
    for name, words in {"python": '"$@"', "manyreads": '-m manyreads "$@"'}.items():
        (programs / name).write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} {words}\n")
        (programs / name).chmod(0o755)
    kept = {key: os.environ[key] for key in ("HOME", "LANG", "MANYREADS_SERVERS", "TMPDIR") if key in os.environ}
    return {
        **kept,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(directory / "state"),
        "MANYREADS_ENVIRONMENT": str(directory / "environment.json"),
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }
