"""Templates that expand without end, and texts made to be slow: each ends soon, small, and with its place."""

import time
import tracemalloc

import pytest

from app.errors import BadInput, Location
from tests.domain.spec.specs import render, spec

CMD = ("config", "run", "cmd")
LIST = list(range(1000))
LONG = "x" * 200_000


def declared(name: str) -> Location:
    return ("config", "declarations", name)


def command(cmd: str, **declarations: object) -> dict[str, object]:
    return spec(declarations=declarations, run={"cmd": cmd})


def looping(body: str, depth: int = 1) -> dict[str, object]:
    """A command that does something a thousand times, or a thousand times a thousand times."""
    loop = "{% for i in l %}" * depth + body + "{% endfor %}" * depth
    return command(loop, l=LIST, b=LONG)


def declarations(**items: object) -> dict[str, object]:
    return spec(declarations=items)


def expression(text: str) -> dict[str, object]:
    return spec(declarations={"a": f"{{{{ {text} }}}}"})


# What is sent, where its first mistake is told, and a word of it.
ENDLESS: dict[str, tuple[dict[str, object], Location, str]] = {
    "a text repeated": (expression("'x' * 10**9"), declared("a"), "larger than"),
    "a text repeated by a huge number": (expression("'x' * 2**999"), declared("a"), "larger than"),
    "a list of long texts": (command("{{ [b, b] }}", b=LONG), CMD, "larger than"),
    "a list repeated": (expression("[1] * 10**9"), declared("a"), "larger than"),
    "a power": (expression("2**10**9"), declared("a"), "64 bits"),
    "a power of a power": (expression("9**9**9**9"), declared("a"), "too large"),
    "a power of floats": (expression("9.0**999"), declared("a"), "too large"),
    "a product of numbers": (expression("(10**300) * (10**300)"), declared("a"), "too large"),
    "a root that is not real": (expression("(-8)**0.5"), declared("a"), "not real"),
    "a sum that is infinite": (expression("1e308 + 1e308"), declared("a"), "not finite"),
    "an infinite literal": (expression("1e999"), declared("a"), "not finite"),
    "an infinite text": (expression("'inf'|float"), declared("a"), "not finite"),
    "a huge number read": (expression("('9' * 4000)|int"), declared("a"), "too large"),
    "a huge number read in hex": (expression("('f' * 90000)|int(base=16)"), declared("a"), "too large"),
    "a huge number divided": (expression("(2**1023 + (2**1023 - 1)) / 1.5"), declared("a"), "too large"),
    "a huge number rounded": (expression("1e300|round(20, 'floor')"), declared("a"), "too large"),
    "digits without end": (expression("1|round(-10**9)"), declared("a"), "precision"),
    "a format": (expression("'%1000000000d' % 1"), declared("a"), "does not work"),
    "a literal of many digits": (expression("" + "9" * 100_000 + ""), declared("a"), "literal"),
    "loops in loops": (looping("x", 3), CMD, "steps"),
    "loops that write nothing": (looping("", 3), CMD, "steps"),
    "loops that look for names": (looping("{{ i.x|default('') }}", 2), CMD, "steps"),
    "a loop that writes much": (looping("{{ b }}"), CMD, "larger than"),
    "a loop over a long text": (looping("{% for c in b %}{% endfor %}"), CMD, "steps"),
    "a loop of long comparisons": (looping("{% if b == b + '' %}{% endif %}"), CMD, "steps"),
    "a loop of long searches": (looping("{% if 'y' in b %}{% endif %}"), CMD, "steps"),
    "a loop of long filters": (looping("{% if b|upper|lower|trim('x') %}{% endif %}"), CMD, "steps"),
    "a loop of large lists": (looping("{% if l == l %}{% endif %}"), CMD, "steps"),
    "a join of long texts": (command("{{ [b]|join(b) }}{{ [b, b]|join }}", b=LONG), CMD, "larger than"),
    "a join by a long text": (command("{{ l|join(b) }}", l=LIST, b=LONG), CMD, "larger than"),
    "a join of a text": (command("{{ b|join(', ') }}", b=LONG), CMD, "larger than"),
    "a replacement that grows": (command("{{ b|replace('x', b) }}", b=LONG), CMD, "larger than"),
    "a replacement of nothing": (command("{{ b|replace('', 'yy') }}", b=LONG), CMD, "larger than"),
    "JSON that grows": (command("{{ b|tojson }}", b="\x01" * 100_000), CMD, "larger than"),
    "JSON with wide indents": (command("{{ l|tojson(10**9) }}", l=LIST), CMD, "indent"),
    "a text of a list that grows": (command("{{ [b] }} x", b="\x01" * 100_000), CMD, "larger than"),
    "lists of lists": (
        declarations(a0=["x"] * 10, **{f"a{n}": f"{{{{ [{f'a{n - 1},' * 10}] }}}}" for n in range(1, 20)}),
        declared("a4"),
        "larger than|steps",
    ),
    "lists that double": (
        declarations(a0=["x"] * 9, **{f"a{n}": f"{{{{ a{n - 1} + a{n - 1} }}}}" for n in range(1, 60)}),
        declared("a13"),
        "larger than|steps",
    ),
    "texts that double": (
        declarations(a0="x", **{f"a{n}": f"{{{{ a{n - 1} }}}}{{{{ a{n - 1} }}}}" for n in range(1, 60)}),
        declared("a19"),
        "larger than",
    ),
    "lists in lists in lists": (
        declarations(a0="x", **{f"a{n}": f"{{{{ [[[[a{n - 1}]]]] }}}}" for n in range(1, 900)}),
        declared("a17"),
        "nested deeper",
    ),
    "one long text in many places": (
        declarations(b="x" * 100_000, **{f"a{n}": "{{ b }}" for n in range(900)}),
        declared("a10"),
        "more than 1048576 characters",
    ),
    "brackets": (expression("(" * 100_000), declared("a"), "brackets are nested too deep"),
    "brackets that close": (expression("" + "(" * 30 + "1" + ")" * 30 + ""), declared("a"), "brackets"),
    "nots": (expression("" + "not " * 60_000 + "1"), declared("a"), "nested too deep"),
    "signs": (expression("" + "-" * 200_000 + "1"), declared("a"), "nested too deep"),
    "a long sum": (expression("" + "+".join(["1"] * 100) + ""), declared("a"), "nested too deep"),
    "a longer sum": (expression("" + "+".join(["1"] * 100_000) + ""), declared("a"), "words and signs"),
    "ifs in ifs": (command("{% if 1 %}" * 61 + "{% endif %}" * 61), CMD, "nested too deep"),
    "ifs without end": (command("{% if 1 %}" * 10_000), CMD, "nested too deep"),
    "many expressions": (command("{{1}}" * 50_000), CMD, "words and signs"),
    "many texts": (
        declarations(**{f"a{n}": f"{{{{{n}}}}}" * 60 for n in range(999)}),
        declared("a161"),
        "too long together",
    ),
    "many texts that can't be read": (
        declarations(**{f"a{n}": f"{{{{ {n} + " + "a+" * 300 for n in range(999)}),
        declared("a0"),
        "unexpected 'end of template'",
    ),
    "a text that is not parsed": (command("{{ 1 }}" + "x" * 300_000), CMD, "262144 characters"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_it_ends_soon_with_its_place(name: str) -> None:
    config, loc, why = ENDLESS[name]
    started = time.process_time()
    with pytest.raises(BadInput) as error:
        render(config)
    took = time.process_time() - started
    places = error.value.errors or ()
    assert places[0].loc == loc
    assert any(word in places[0].msg for word in why.split("|"))
    assert took < 10  # some tenths of a second; tracing and a busy machine make it more


@pytest.mark.parametrize("name", ["a text repeated", "a join by a long text", "texts that double", "a power"])
def test_its_memory_stays_flat(name: str) -> None:
    tracemalloc.start()
    with pytest.raises(BadInput):
        render(ENDLESS[name][0])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def test_what_is_large_but_within_its_budget_renders() -> None:
    rendered = render(
        command("{% for i in l %}{% for j in l %}{{ i }}{% endfor %}{% endfor %}", l=list(range(150)))
    )
    assert 50_000 < len(rendered.command) < 120_000
    assert len(render(command("{{ 'x' * 100000 }}")).command) == 100_000
    assert render(command("{{ " + "(" * 19 + "1" + ")" * 19 + " }}")).command == "1"
    assert render(command("{{ " + "+".join(["1"] * 50) + " }}")).command == "50"


def test_a_long_text_without_a_template_is_no_template() -> None:
    rendered = render(spec(environment={"cluster_uuid": "x" * 300_000}))
    assert rendered.command == "true"
