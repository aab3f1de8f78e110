"""What a person sees once the service is ready."""

import sys
from pathlib import Path
from shlex import quote

from app.settings import default_data_dir

TEXT = """
Bunsen is ready.

  URL       {url}
  Docs      {url}/docs
  User      {username}
{password}  Token     {token}
            (kept in {token_file})

A classifier trained on scikit-learn's digits, in another terminal:

  {demo}

A first experiment of yours, to paste there:

  TOKEN=$(cat {quoted_token_file}); API={url}/api/v1
  post() {{ curl -sS -H "Authorization: token $TOKEN" -H 'Content-Type: application/json' \\
    "$API/$1" -d "$2"; }}
  post projects '{{"name": "first"}}'; echo
  ID=$(post {username}/first/experiments '{{"config": {{"version": 1, "kind": "experiment",
    "run": {{"cmd": "for i in 1 2 3; do echo step $i; sleep 1; done"}}}}}}' |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
  curl -sSN -H "Authorization: token $TOKEN" "$API/{username}/first/experiments/$ID/logs?follow=true"

Ctrl-C ends the service; experiments go on and are taken up again by the next start.
"""


def welcome(url: str, username: str, password: str | None, token: str, folder: Path) -> str:
    """The text for whoever started the service on that data folder; `password` only when it was made up just
    now."""
    token_file = folder / "token"
    return TEXT.format(
        url=url,
        username=username,
        password=f"  Password  {password}   (shown this once)\n" if password else "",
        token=token,
        token_file=token_file,
        quoted_token_file=quote(str(token_file)),
        demo=" ".join(_demo(folder)),
    )


def _demo(folder: Path) -> list[str]:
    """The words that run the demo on this service, from any folder."""
    command = Path(sys.executable).with_name("bunsen")
    words = [quote(str(command)) if command.exists() else "bunsen", "demo"]
    return words if folder == default_data_dir() else [*words, "--data", quote(str(folder))]
