"""The search language as SQL over the experiments table: `filtered` and `ordered` change a select of it."""

from app.db.conditions.filtering import filtered
from app.db.conditions.sorting import ordered

__all__ = ["filtered", "ordered"]
