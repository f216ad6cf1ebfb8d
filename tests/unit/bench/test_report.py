"""The table and the JSON document."""

import io
import json

from rich.console import Console

from tests.bench.figures import Sample, summarise
from tests.bench.report import document, table

SAMPLES = [
    Sample("large-result", "direct", 0, 17.6, 144.97),
    Sample("large-result", "forwarder", 0, 11.2, 196.89, 5000.0, 7500.0, 36 * 1024),
]


def rendered() -> list[str]:
    output = io.StringIO()
    Console(file=output, width=130).print(table("mariadb", summarise(SAMPLES)))
    return output.getvalue().splitlines()


def test_table_names_each_workload_once() -> None:
    assert sum("100,000-row result" in line for line in rendered()) == 1


def test_table_shows_cpu_of_the_process_in_the_middle() -> None:
    (forwarder,) = (line for line in rendered() if "forwarder" in line)
    assert [cell.strip() for cell in forwarder.split("│")[3:-1]] == [
        *("11.2", "196.89", "12,500.0", "5,000.0", "7,500.0", "1.00", "1.00", "36"),
    ]


def test_document_is_json_with_samples_and_figures() -> None:
    text = json.dumps(document({"cores": "2"}, {"rounds": 1}, {"mariadb": SAMPLES}, {"mariadb": summarise(SAMPLES)}))
    found = json.loads(text)
    assert found["figures"]["mariadb"][1]["cpu_us"] == 12500
    assert found["samples"]["mariadb"][0]["user_us"] is None
