"""Setting a replica up while the manager, a server or the network is killed, at a moment that a seed decides."""

import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from replication.errors import ExitCode
from tests.support.site import Site
from tests.support.waiting import DEADLINE, wait_until

ROOT = Path(__file__).parents[2]
REPLICA = "dbread1"
_TABLES = 3
_ROWS_OF_A_THOUSAND = 40
_MEGABYTE = 1_000_000


class Victim(StrEnum):
    """Who is killed."""

    MANAGER = "manager"
    REPLICA = "replica"
    PRIMARY = "primary"
    NETWORK = "network"


class Command(StrEnum):
    """What is disturbed."""

    STARTSYNC = "startsync"
    RESYNC = f"resync {REPLICA} --full --force {REPLICA}"
    SHADOW = f"resync {REPLICA} --shadow --force {REPLICA}"


@dataclass(frozen=True)
class Outcome:
    """How one seed ended: where the killed run was, and how many bytes the next one copied."""

    seed: int
    command: Command
    victim: Victim
    moment: float
    phase: str
    present: int
    copied: int

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.command}, {self.victim} killed after {self.moment:.2f} s "
            f"({self.phase or 'blank'}, {self.present:,} rows there); the next run copied {self.copied:,} bytes"
        )


class Killing:
    """One site whose replica is set up again and again; `seconds` is how long a run takes that nobody disturbs."""

    def __init__(self, place: Site) -> None:
        self._place = place
        self._fill()
        began = time.monotonic()
        result = self._run_to_the_end("startsync")
        self.seconds = time.monotonic() - began
        self._rows, self._bytes = int(result["rows"]), int(result["bytes"])

    def run(self, seed: int) -> Outcome:
        """Disturb one run, let another one finish, and see that the replica is equal and nothing was copied twice."""
        chance = random.Random(seed)
        command, victim = chance.choice(list(Command)), chance.choice(list(Victim))
        moment = chance.uniform(0.1, self.seconds)
        if command is Command.STARTSYNC:
            self._make_blank()
        self._disturb(command, victim, moment)
        if command is Command.SHADOW:
            return self._finish_beside(seed, victim, moment)
        phase, present = self._phase(), self._present()
        result = self._run_to_the_end("startsync")
        outcome = Outcome(seed, command, victim, moment, phase, present, int(result["bytes"]))
        self._check(outcome)
        return outcome

    def _finish_beside(self, seed: int, victim: Victim, moment: float) -> Outcome:
        """Go on with a copy beside the live tables, or make good an exchange that was broken off."""
        broken_off = self._phase() in ("copying", "attaching")
        phase = self._phase() if broken_off else self._phase(beside=True)
        present = self._present(*([] if broken_off else self._shadows()))
        resync = ("resync", REPLICA, "--shadow", "--force", REPLICA)
        result = self._run_to_the_end(*(["startsync"] if broken_off else resync))
        outcome = Outcome(seed, Command.SHADOW, victim, moment, phase, present, int(result["bytes"]))
        self._check(outcome)
        assert self._shadows() == [], f"{outcome}: {self._shadows()} were left"
        return outcome

    def _shadows(self) -> list[str]:
        rows = self._place.query(REPLICA, "SHOW DATABASES LIKE 'manyreads\\_shadow%'")
        return [str(name) for row in rows for name in row.values()]

    def _check(self, outcome: Outcome) -> None:
        if outcome.phase in ("copying", "indexing"):
            missing = self._bytes * (1 - outcome.present / self._rows)
            assert outcome.copied <= missing + _MEGABYTE, f"{outcome}; {missing:,.0f} bytes were missing"
        if outcome.phase in ("attaching", "done"):
            assert outcome.copied == 0, str(outcome)
        verified = self._command("verify", REPLICA)
        assert verified.returncode == ExitCode.OK, f"{outcome}\n{verified.stdout}{verified.stderr}"

    def _fill(self) -> None:
        numbers = ", ".join(f"({number})" for number in range(1000))
        place = self._place
        place.query("dbwrite", "CREATE TABLE app.n (n INT PRIMARY KEY)", f"INSERT INTO app.n VALUES {numbers}")
        for number in range(_TABLES):
            table = f"app.t{number}"
            place.query(
                "dbwrite",
                f"CREATE TABLE {table} (id INT AUTO_INCREMENT PRIMARY KEY, v INT, w VARCHAR(250), KEY (v), UNIQUE (w))",
                f"INSERT INTO {table} (v, w) SELECT a.n * 7919 % 1000, CONCAT(RPAD('x', 150, 'y'), a.n, '/', b.n) "
                f"FROM app.n a, app.n b WHERE b.n < {_ROWS_OF_A_THOUSAND}",
                f"ANALYZE TABLE {table}",
            )

    def _make_blank(self) -> None:
        self._place.writable(REPLICA)
        schemas = ("app", "manyreads")
        drops = (f"DROP DATABASE IF EXISTS {schema}" for schema in schemas)
        self._place.query(REPLICA, "STOP REPLICA", "RESET REPLICA ALL", "SET SESSION sql_log_bin = 0", *drops)

    def _disturb(self, command: Command, victim: Victim, moment: float) -> None:
        process = self._start(*command.value.split(), "--wait", "5")
        time.sleep(moment)
        server = self._place.cluster.server("dbwrite" if victim is Victim.PRIMARY else REPLICA)
        match victim:
            case Victim.MANAGER:
                process.kill()
            case Victim.NETWORK:
                self._place.relay.switch(0)
            case _:
                server.kill()
        process.communicate(timeout=DEADLINE)
        self._place.relay.switch(self._place.cluster.server("dbwrite").port)
        server.start()

    def _phase(self, *, beside: bool = False) -> str:
        if not self._place.query(REPLICA, "SHOW DATABASES LIKE 'manyreads'"):
            return ""
        if not self._place.query(REPLICA, "SHOW TABLES IN manyreads LIKE 'marker'"):
            return ""
        found = self._place.query(REPLICA, f"SELECT phase FROM manyreads.marker WHERE id = {1 + beside}")
        return str(found[0]["phase"]) if found else ""

    def _present(self, *schemas: str) -> int:
        names = ", ".join(f"'{schema}'" for schema in schemas or ("app",))
        tables = self._place.query(
            REPLICA,
            "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name FROM information_schema.TABLES "
            f"WHERE TABLE_SCHEMA IN ({names})",
        )
        counts = (self._place.query(REPLICA, f"SELECT COUNT(*) AS rows_ FROM {each['name']}") for each in tables)
        return sum(int(count[0]["rows_"]) for count in counts)

    def _run_to_the_end(self, command: str, *arguments: str) -> dict[str, Any]:
        answers: list[str] = []

        def succeeds() -> bool:
            # The lock of the killed run may be given up a moment later.
            done = self._command(command, *arguments, "--json", "--wait", "30")
            answers.append(done.stdout + done.stderr)
            return done.returncode == ExitCode.OK

        wait_until(succeeds, f"{command} succeeds", lambda: answers[-1])
        line = next(line for line in answers[-1].splitlines() if line.startswith("{"))
        found: dict[str, Any] = json.loads(line)["replicas"][0]
        return found

    def _command(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self._start(command, *arguments)
        out, error = process.communicate(timeout=2 * DEADLINE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, error)

    def _start(self, command: str, *arguments: str) -> subprocess.Popen[str]:
        flags = self._place.flags(REPLICA)
        return subprocess.Popen(
            [sys.executable, "-m", f"replication.{command}", *arguments, *flags],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
