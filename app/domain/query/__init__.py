"""The search language: the text of `query` and `sort` in, typed conditions and sort keys out."""
