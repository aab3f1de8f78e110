"""Runners that are measured when the tests are: they start without `site`, where coverage would begin."""

import os
import sys

CONFIG = "COVERAGE_PROCESS_CONFIG"

MEASURED = CONFIG in os.environ
RUNNER: tuple[str, ...] = (sys.executable, "-I") if MEASURED else (sys.executable, "-I", "-S")
RUNNER_ENVIRONMENT: dict[str, str] = {CONFIG: os.environ[CONFIG]} if MEASURED else {}
