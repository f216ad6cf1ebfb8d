"""Django's settings for its own suite; runs in the suites' virtual environment."""

import json
import os
from typing import Any

_server = json.loads(os.environ["MANYREADS_SERVER"])


def _database(name: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.mysql",
        "NAME": name,
        "HOST": _server["host"],
        "PORT": _server["port"],
        "USER": _server["user"],
        "PASSWORD": _server["password"],
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_general_ci"},
    }


DATABASES = {"default": _database("django_main"), "other": _database("django_other")}
TEST_RUNNER = "suite_runner.RecordingRunner"
SECRET_KEY = "django_tests_secret_key"  # which some of its tests know
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
