"""What the OpenAPI document says in words: of the service, and of each feature."""

SUMMARY = "Launch, follow and keep machine-learning experiments."

DESCRIPTION = """\
Bunsen runs experiments: it builds their environment, starts their jobs, stores every line that they print,
and keeps their metrics and outputs.

A first experiment, from nothing:

1. `POST /api/v1/users/token` with your username and password gives a token. Send it with every call:
   `Authorization: token …`.
2. `POST /api/v1/projects` makes a project; `PUT /api/v1/{username}/{project_name}/repo/upload` uploads its
   code, if it has any.
3. `POST /api/v1/{username}/{project_name}/experiments` launches an experiment; its `config` says what to
   build and what to run: `{"config": {"version": 1, "kind": "experiment", "run": {"cmd": "echo hello"}}}`.
4. `GET /api/v1/{username}/{project_name}/experiments/{id}/logs?follow=true` shows what it prints while it
   runs; `…/statuses`, `…/metrics` and `…/outputs` show what came of it.

**Paths** answer with a slash at the end and without one. **Times** are ISO 8601 with six digits and `+00:00`;
one that you send without a zone is UTC. **Lists** are pages, `{count, next, previous, results}`, moved by
`limit` and `offset`. **Keys** of a body that nothing knows are ignored.

**Errors** are `application/problem+json` (RFC 9457): `code` is a stable word, `detail` a sentence, `errors`
names each place of an invalid input. What you may not see is a 404; what you may see but not change, a 403.
"""

TAGS = {
    "experiments": "Create, search, read, change, stop, delete, restart, resume and copy experiments.",
    "statuses": "Where an experiment stood, and when.",
    "metrics": "What an experiment measured: one by one, in batches, thinned for a chart.",
    "logs": "What experiments, their jobs and builds print: so far or followed, as text, NDJSON or events.",
    "jobs": "The processes or pods of an experiment.",
    "builds": "How environments are made.",
    "outputs": "The files that an experiment wrote.",
    "tensorboard": "A TensorBoard on an experiment's outputs.",
    "tracking": "What a tracker tells from inside a job, or of an experiment that runs elsewhere.",
    "projects": "What experiments belong to.",
    "code": "What a project's experiments run.",
    "bookmarks": "Everyone's own marks on experiments and projects.",
    "users": "Who one is, logging in, letting others in.",
    "versions": "What clients ask before they log in.",
    "health": "What probes ask.",
}
