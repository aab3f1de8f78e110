"""Writes deploy/openapi.json anew: `python -m tests.openapi.write`."""

from tests.openapi.conftest import described
from tests.openapi.test_document import COPY, printed

if __name__ == "__main__":
    COPY.write_text(printed(described()))
