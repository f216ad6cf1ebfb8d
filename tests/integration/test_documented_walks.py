"""The pages as walks: what a page shows is run, in its order, on servers of the test's own, and does what it says.

The tests of one vendor share servers, in order: each page goes on where the one before has ended.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from replication.replicator import password_for
from replication.sandbox import Cluster, Flavor
from replication.sandbox.ports import claim_ports
from tests.support.once import directory_of_run
from tests.support.pages import PAGES, Step, blocks, name_of, steps
from tests.support.waiting import wait_until
from tests.support.walking import Reader, agrees, as_table, own_variables, prompt

# The first one sets the replicas up, and the last ones change the primary, and take the servers down.
ORDER = ("README.md", *(f"docs/{name}.md" for name in "deploying operating observing routing replication".split()))
DOWN = "python -m replication.sandbox down"
TOKEN = "token-of-the-watcher-0b1d"
# What else a user may have told, beside what the pages show.
TELLING = (
    "python -m replication.startsync --environment environment.json --json",
    "python -m replication.startsync --environment environment.json --dry-run --json",
    "python -m replication.status --environment environment.json --json",
    "python -m replication.verify dbread1 --environment environment.json --json",
    "python -m replication.resync dbread2 --environment environment.json --json",
    "python -m replication.resync dbread2 --environment environment.json --full --dry-run",
    "python -m replication.switchover dbread1 --environment environment.json --dry-run --json",
    "python -m replication.startsync --writer mysql://root:guessed@10.0.0.1:3306 --reader mysql://root:guessed@10.0.0.2:3306",
    "manyreads doctor --environment environment.json --all --json",
    "manyreads doctor --writer mysql://root:guessed@10.0.0.1:3306",
)
UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

# What can't be run here, by how it begins, and why. tests/unit/test_documented_commands.py sees that each is in a page.
NOT_RUN = {
    "make demo": "tests/integration/test_demo.py runs it",
    "make test": "this is part of it",
    "make bench": "it measures for minutes",
    "python -m tests.bench.fresh": "it measures for minutes",
    "python -m tests.bench.observing": "it measures for minutes",
    "python -m tests.bench.workers": "it measures for minutes",
    "python -m tests.history": "it measures for minutes; tests/integration/test_history.py runs it shortly",
    "python3 -m venv /opt/manyreads": "it is not the test's directory; tests/integration/test_package.py makes one",
    "/opt/manyreads/bin/pip install": "it needs the internet; tests/integration/test_package.py installs without it",
    "pipx install": "it needs the internet, for a pip of its own",
    "pip install 'mypy": "it needs the internet",
    "MANYREADS_COMPILE=1 pip install": "tests/integration/test_compiled.py compiles",
    "install -D -m 600": "it needs root",
    "cp deploy/systemd/": "it needs root",
    "systemctl": "it needs systemd; tests/integration/test_units.py runs what the units start",
    "journalctl": "it needs systemd",
    "docker build": "it needs an engine",
    "docker compose up": "it needs an engine; tests/integration/test_compose.py runs the same processes in their order",
    "docker compose --profile": "it needs an engine; tests/integration/test_compose.py runs the same with MySQL",
    "docker compose logs": "it needs an engine",
    "kubectl create": "it needs a cluster",
    "kubectl apply": "it needs a cluster; tests/integration/test_units.py runs what the pods start",
    "kubectl rollout": "it needs a cluster",
    "kubectl port-forward": "it needs a cluster",
    "dotcloud push": "it needs the platform; tests/integration/test_dotcloud.py builds and runs the services",
    "dotcloud info": "it needs the platform",
    "dotcloud run myapp.dbmanager ./startsync": "tests/integration/test_dotcloud.py runs the script",
    "manyreads top --token-file": "it needs a terminal; tests/integration/test_doctor.py gives it one",
}
# Those that are meant to end with another code than 0.
CODES = {
    "manyreads check wrong.toml": 2,
    "manyreads doctor --config manyreads.toml": 1,
    "python -m replication.resync dbread1 --environment environment.json": 4,
}
# What has to be so for a command to print what its page shows, and how it is undone: (server, statement).
STATES = {
    "manyreads doctor --config manyreads.toml": (
        ("dbwrite", "REVOKE SELECT ON mysql.user FROM manyreads"),
        ("dbread1", "SET GLOBAL read_only = OFF"),
    ),
}
# What the accounts that the pages make are for: each can do it when its page has been walked.
ACCOUNTS = {
    "manyreads": "manyreads doctor --environment {account}.json",
    "watcher": "python -m replication.status --environment {account}.json",
    "verifier": "python -m replication.verify --environment {account}.json",
}
UNDONE = {
    "manyreads doctor --config manyreads.toml": (
        ("dbwrite", "GRANT SELECT ON mysql.user TO manyreads"),
        ("dbread1", "SET GLOBAL super_read_only = ON"),
    ),
}


def own_texts(cluster: Cluster, proxy: int, page: int, http: int) -> dict[str, str]:
    """The one place that says what the test has in place of the pages' names, addresses and ports."""
    primary, *_ = cluster.servers
    addresses = {f"10.0.0.{n}:3306": f"{one.host}:{one.port}" for n, one in enumerate(cluster.servers, 1)}
    # After their set-up the replicas have the primary's accounts.
    login = f"{primary.user}:{primary.password}"
    urls = {
        f"root:{password}@{there}": f"{login}@{here}"
        for password in ("SECRET", "SECRET2", "SECRET3")
        for there, here in addresses.items()
    }
    inside = (
        "/opt/manyreads/bin/",
        "/etc/manyreads/",
        "docker compose exec proxy ",
        "docker compose exec manager ",
        "kubectl exec deployment/manyreads-proxy -- ",
        "kubectl exec deployment/manyreads-manager -- ",
        "dotcloud run myapp.dbmanager env/bin/",
    )
    return {
        **addresses,
        **urls,
        **dict.fromkeys(inside, ""),
        'MASTER=main SLAVES="copy1 copy2"': 'MASTER=dbwrite SLAVES="dbread1 dbread2"',
        "sandbox up": f"sandbox up --flavor {cluster.flavor}",
        ":6033": f":{proxy}",
        "8080": str(page),
        "8081": str(http),
    }


@pytest.fixture(scope="module", params=list(Flavor))
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    """With blank servers in `.sandbox`, and an application's tables on the primary."""
    # Short on purpose, as for every sandbox.
    directory = Path(tempfile.mkdtemp(prefix="many-"))
    sandbox = directory / ".sandbox"
    try:
        cluster = Cluster.up(sandbox, Flavor(request.param), 2, None, directory_of_run())
        texts = own_texts(cluster, *claim_ports(3, directory))
        with prompt() as process:
            reader = Reader(directory, texts, cluster, own_variables(directory), process)
            shutil.copy(cluster.environment_file, directory / "environment.json")
            reader.statement("CREATE DATABASE shop")
            reader.statement("CREATE TABLE shop.orders (id INT PRIMARY KEY, a INT, b INT)")
            try:
                yield reader
            finally:
                reader.leave()
    finally:
        if (sandbox / "cluster.json").exists():
            Cluster.load(sandbox).down()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.parametrize("name", ORDER)
def test_a_page_is_a_walk(reader: Reader, name: str) -> None:
    (page,) = (page for page in PAGES if name_of(page) == name)
    for block in blocks(page):
        if block.vendor not in ("", reader.cluster.flavor):
            continue
        if block.file:
            reader.write(block)
        for step in steps(block):
            take(reader, step)
    reader.stop()


@pytest.mark.parametrize("account", ACCOUNTS)
def test_the_accounts_of_the_pages_can_do_what_they_are_for(reader: Reader, account: str) -> None:
    logins = {"LOGIN": account, "PASSWORD": "SECRET"}
    servers = json.loads(reader.cluster.environment_file.read_text(encoding="utf-8"))
    own = {key: logins.get(key.rpartition("_")[2], value) for key, value in servers.items()}
    (reader.directory / f"{account}.json").write_text(json.dumps(own), encoding="utf-8")
    done = reader.command(ACCOUNTS[account].format(account=account))
    # Nothing is missing: warnings are about other things.
    assert (done.code, "privileges" in done.output) == (0, False), done.output


def test_the_other_pages_have_nothing_to_run() -> None:
    pages = [page for page in PAGES if name_of(page) not in ORDER]
    assert [step for page in pages for block in blocks(page) for step in steps(block) if not left_out(step)] == []


def test_statements_within_lines_run_too(reader: Reader) -> None:
    """What the tables of the pages name: topics of SHOW PROXY, and hints, of which none is misunderstood."""
    words = {"TOKEN": "0-1-1" if reader.cluster.flavor is Flavor.MARIADB else f"{UUID}:1", "LEVEL": "strict"}
    spans = {span for page in PAGES for span in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))}
    topics = {span for span in spans if re.fullmatch(r"SHOW PROXY [A-Z]+", span)}
    hints = {span for span in spans if re.fullmatch(r"/\* manyreads: .*\*/", span)}
    assert len(topics) >= 8
    assert len(hints) >= 6
    for topic in topics:
        reader.statement(topic)
    for hint in hints:
        own = re.sub("|".join(words), lambda match: words[match[0]], hint)
        (problems,) = (row[1] for row in reader.statement(f"EXPLAIN ROUTE SELECT 1 {own}") if row[0] == "hint_problems")
        assert problems is None, own
    reader.stop()


def test_nothing_that_was_said_holds_a_secret(reader: Reader) -> None:
    """Neither what the pages' commands print and log, nor what they print as JSON, when refused, and over HTTP."""
    primary, *_ = reader.cluster.servers
    # The sandbox alone is there to tell its passwords.
    assert any(primary.password in text for text in reader.said)
    reader.said = [text for text in reader.said if "servers, blank unless you have filled them" not in text]
    for command in TELLING:
        assert reader.command(command).output, command
    page = reader.own("http://127.0.0.1:8080")
    watch = "python -m replication.watch --environment environment.json --http 8080"
    reader.command(f"MANYREADS_HTTP_TOKEN={TOKEN} {watch}")
    for token in (TOKEN, "guessed-token"):
        for path in ("/", "/status", "/metrics", "/readyz", "/replicas/dbread1", "/nothing"):
            reader.said.append(asked(page + path, token))
        reader.said.append(asked(f"{page}/replicas/dbread2/verify", token, "POST"))
    reader.stop()
    secrets = {server.password for server in reader.cluster.servers}
    secrets |= {TOKEN, "guessed", "SECRET", password_for(primary.password, "manyreads_repl")}
    secrets.add((reader.directory / "token").read_text(encoding="utf-8").strip())
    assert {secret for secret in secrets for text in reader.said if secret in text} == set()
    assert any("401" in text for text in reader.said)


def asked(url: str, token: str, method: str = "GET") -> str:
    """Status, headers and body."""
    request = Request(url, headers={"Authorization": f"Bearer {token}"}, method=method)
    try:
        with urlopen(request, timeout=30) as answer:
            return f"{answer.status} {answer.headers} {answer.read().decode()}"
    except HTTPError as error:
        return f"{error.code} {error.headers} {error.read().decode()}"


def test_the_last_step_takes_the_servers_down(reader: Reader) -> None:
    done = reader.command(DOWN)
    assert done.code == 0, done.output
    assert not (reader.directory / ".sandbox").exists()


def test_nothing_is_left_out_in_vain() -> None:
    texts = [step.text for page in PAGES for block in blocks(page) for step in steps(block)]
    assert [beginning for beginning in (DOWN, *NOT_RUN) if not any(text.startswith(beginning) for text in texts)] == []
    assert {*CODES, *STATES, *UNDONE} <= set(texts)


def left_out(step: Step) -> bool:
    return step.text == DOWN or any(step.text.startswith(beginning) for beginning in NOT_RUN)


def take(reader: Reader, step: Step) -> None:
    """Run a step, unless it was run before or can't be."""
    if left_out(step) or (step.text in reader.seen and not step.shown):
        return
    reader.seen.add(step.text)
    if step.sql:
        query(reader, step)
        return
    for server, statement in STATES.get(step.text, ()):
        reader.administer(server, statement)
    done = reader.command(step.text)
    for server, statement in UNDONE.get(step.text, ()):
        reader.administer(server, statement)
    assert done.code == CODES.get(step.text, 0), f"{step}\n{done.output}"
    assert "Traceback" not in done.output, f"{step}\n{done.output}"
    assert agrees(reader, step, done.output), f"{step}\n{done.output}"


def query(reader: Reader, step: Step) -> None:
    """A statement; what is shown of it may take until the replicas are in step."""
    if not step.shown:
        reader.statement(step.text, proxied=step.block.language == "console")
        return
    found: list[str] = []

    def as_shown() -> bool:
        found.append(as_table(reader.statement(step.text)))
        return agrees(reader, step, found[-1])

    wait_until(as_shown, str(step), lambda: found[-1])
