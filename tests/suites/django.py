"""Django's suite: its own runner, told to write down what came of each test (inside/suite_runner.py).

Labels are directories below its tests. Those run by default are all that are about models, queries, the schema,
migrations, transactions, or the connection. Left out are those about views, forms, templates, the admin, mail and
the like, which use the database as a place for a few rows, if at all, and take most of the time: `--full` runs them.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from replication.sandbox import Flavor
from replication.sandbox.programs import servers_directory
from tests.suites.outcomes import Outcomes, from_json
from tests.suites.sources import Sources
from tests.suites.suite import Run, Side

INSIDE = Path(__file__).parent / "inside"
LABELS = """
    aggregation aggregation_regress annotations async backends basic bulk_create cache composite_pk constraints
    contenttypes_tests custom_columns custom_lookups custom_managers custom_methods custom_migration_operations
    custom_pk datatypes dates datetimes db_functions db_typecasts db_utils dbshell defer defer_regress delete
    delete_regress distinct_on_fields empty empty_models expressions expressions_case expressions_window
    extra_regress field_deconstruction field_defaults field_subclassing filtered_relation fixtures fixtures_regress
    force_insert_update foreign_object from_db_value generic_relations generic_relations_regress
    get_earliest_or_latest get_object_or_404 get_or_create indexes inspectdb introspection invalid_models_tests
    known_related_objects lookup m2m_and_m2o m2m_intermediary m2m_multiple m2m_recursive m2m_regress m2m_signals
    m2m_through m2m_through_regress m2o_recursive managers_regress many_to_many many_to_one many_to_one_null
    max_lengths migrate_signals migration_test_data_persistence migrations migrations2 model_fields model_indexes
    model_inheritance model_inheritance_regress model_meta model_options model_package model_regress model_utils
    multiple_database mutually_referential nested_foreign_keys no_models null_fk null_fk_ordering null_queries
    one_to_one or_lookups order_with_respect_to ordering prefetch_related properties proxy_model_inheritance
    proxy_models queries queryset_pickle raw_query reserved_names reverse_lookup save_delete_hooks schema
    select_for_update select_related select_related_onetoone select_related_regress serializers servers
    sessions_tests signals string_lookup swappable_models test_runner test_utils timezones transaction_hooks
    transactions unmanaged_models update update_only_fields validation xor_lookups
"""


@dataclass(frozen=True)
class Django:
    """The suite, over mysqlclient."""

    sources: Sources
    name: str = "django"
    labels: Sequence[str] = tuple(LABELS.split())
    every: Sequence[str] = ()

    def statements(self) -> Sequence[str]:
        """Its test databases are made and dropped by itself."""
        return ()

    def run(self, side: Side, flavor: Flavor, labels: Sequence[str], workers: int, report: Path) -> Run:
        given = {"host": side.host, "port": side.port, "user": side.user, "password": side.password}
        environment = {
            "MANYREADS_SERVER": json.dumps(given),
            "MANYREADS_REPORT": str(report),
            "PYTHONPATH": str(INSIDE),
        }
        if flavor is Flavor.MYSQL:
            environment["PATH"] = f"{self._programs()}:{os.environ['PATH']}"
        tree = self.sources.tree("Django") / "tests"
        options = ["--settings=suite_settings", "--noinput", "--parallel", str(workers)]
        return Run([self.sources.python, "runtests.py", *options, *labels], tree, environment)

    def _programs(self) -> Path:
        """MySQL's clients, with which test databases are copied: within one server, so that GTIDs are in the way."""
        programs = servers_directory(os.environ) / "mysql/bin"
        directory = self.sources.directory / "bin"
        directory.mkdir(exist_ok=True)
        for name, options in (("mysql", ""), ("mysqldump", "--set-gtid-purged=OFF")):
            script = directory / name
            script.write_text(f'#!/bin/sh\nexec "{programs / name}" {options} "$@"\n')
            script.chmod(0o755)
        return directory

    def outcomes(self, report: Path) -> Outcomes:
        return from_json(report.read_text())
