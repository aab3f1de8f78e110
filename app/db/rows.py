"""The type of a row whose columns the query's docstring names."""

from typing import Any

from sqlalchemy import Row

AnyRow = Row[*tuple[Any, ...]]
