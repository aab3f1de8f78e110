"""The environments of one machine: the plain one, and when a built one is no good any more."""

import asyncio

from app.launchers.local.environments import Environments
from app.launchers.local.layout import Layout
from app.launchers.local.options import LocalOptions
from app.launchers.local.pythons import PythonChoice
from tests.launchers.local.runs import new_uuid


async def test_the_plain_environment_is_made_once_however_many_want_it(options: LocalOptions) -> None:
    layout = Layout(options.data)
    layout.make()
    uid = options.uids[0] if options.uids else None
    environments = Environments(layout, PythonChoice(None, uid))
    names = await asyncio.gather(*(asyncio.to_thread(environments.base) for _ in range(4)))
    assert len(set(names)) == 1
    assert environments.is_whole(names[0])
    (layout.environments / names[0] / ".bunsen-environment").parent.chmod(0o755)
    (layout.environments / names[0] / ".bunsen-environment").unlink()
    assert not environments.is_whole(names[0])
    assert environments.base() == names[0]
    assert environments.is_whole(names[0])


def test_another_python_makes_what_was_built_stale(options: LocalOptions) -> None:
    layout = Layout(options.data)
    layout.make()
    first = Environments(layout, PythonChoice(None, None))
    build_hash = new_uuid()
    record = f'{{"environment": "{first.base()}", "python": "/usr/bin/python2"}}'
    first.pointer(build_hash).write_text(record)
    assert first.find(build_hash) is None
    first.pointer(build_hash).write_text(record.replace("/usr/bin/python2", first.python))
    assert first.find(build_hash) == first.base()
