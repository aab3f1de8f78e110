"""Reads one YAML document by the rules of YAML 1.2's core schema into plain JSON values, within budgets."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from ruamel.yaml.events import MappingEndEvent as MappingEnd
from ruamel.yaml.events import SequenceEndEvent as SequenceEnd
from ruamel.yaml.scanner import Scanner

from app.domain.plain_json import describe, show
from app.errors import BadInput, Location, Place

MAX_DEPTH = 64
MAX_EVENTS = 40_000  # the reader needs some 30 µs for each
MAX_ALIASED = 256 * 1024  # what aliases may add to what is written out: characters, and some for each value
_VALUE_WEIGHT = 8
# Where ruamel's scanner is quadratic: in a tag's length, and in the depth of flow collections on one line.
_LONG_TAG = re.compile(r"!\S{10000}")
_DEEP_FLOW = re.compile(rf"(?:[\[{{]\s*){{{MAX_DEPTH + 1}}}")

# YAML 1.2.2, 10.3.2 (core schema).
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_BASES = {"0o": 8, "0x": 16}
_AFTER_KEY = "\0 \t\r\n\x85\u2028\u2029,[]{}"
_MERGE = "<<"
_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class _Node:
    """A mapping or sequence that is being read. `weight` is its size, aliases written out."""

    value: dict[str, object] | list[object]
    loc: Location
    anchor: str | None
    key: str | None = None
    weight: int = _VALUE_WEIGHT
    merges: list[object] = field(default_factory=list)


class _Refused(Exception):
    def __init__(self, loc: Location, msg: str, kind: str) -> None:
        super().__init__(msg)
        self.place = Place(loc, msg, kind)


class _Scanner(Scanner):
    """`?` before anything but a space begins a text in `[…]` and `{…}`, too (YAML 1.2.2, 7.3.3)."""

    def check_key(self) -> bool:
        return bool(super().check_key()) and self.reader.peek(1) in _AFTER_KEY

    def check_plain(self) -> bool:
        return bool(super().check_plain()) or (
            self.reader.peek() == "?" and self.reader.peek(1) not in _AFTER_KEY
        )


def read_yaml(text: str, loc: Location) -> object:
    """The one document in `text` as plain JSON values.

    Keys are texts as they are written. `<<` merges, as YAML before 1.2 had it and old specs use it. Raises
    BadInput for bad syntax, a key twice, a second document, an unknown tag or alias, a number that is not
    finite, and for what is over its budget.
    """
    if (long_tag := _LONG_TAG.search(text)) is not None:
        line = text.count("\n", 0, long_tag.start()) + 1
        raise _bad(Place(loc, f"a word that begins with ! is too long (line {line})", "yaml_syntax"))
    if _DEEP_FLOW.search(text) is not None:
        raise _bad(Place(loc, f"is nested deeper than {MAX_DEPTH} levels", "too_deep"))
    composer = _Composer(loc)
    parser = YAML(typ="safe", pure=True, plug_ins=[])
    parser.Scanner = _Scanner
    try:
        return composer.compose(parser.parse(text))
    except _Refused as error:
        raise _bad(error.place) from None
    except MarkedYAMLError as error:
        raise _bad(Place(composer.loc, _sentence(error), "yaml_syntax")) from None
    except (YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, AssertionError, TypeError):
        # What ruamel's scanner raises beside its own errors: "\U00110000", "%YAML 1.9999…", and others.
        raise _bad(Place(composer.loc, "is not readable as YAML", "yaml_syntax")) from None


def _bad(place: Place) -> BadInput:
    return BadInput(describe([place]), errors=[place])


def _sentence(error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context).split("\n")[0][:200]
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
    return f"is not readable as YAML: {problem}{where}"


class _Composer:
    """Builds the value from the parser's events with a stack of its own: no recursion."""

    def __init__(self, root: Location) -> None:
        self.root = root
        self.stack: list[_Node] = []
        self.anchors: dict[str, tuple[object, int]] = {}
        self.aliased = 0
        self.documents = 0
        self.result: object = None

    @property
    def loc(self) -> Location:
        """Where the next value stands."""
        if not self.stack:
            return self.root
        node = self.stack[-1]
        if isinstance(node.value, list):
            return (*node.loc, len(node.value))
        return node.loc if node.key is None else (*node.loc, node.key)

    def compose(self, events: Iterable[Event]) -> object:
        for number, event in enumerate(events):
            if number > MAX_EVENTS:
                raise _Refused(
                    self.loc, f"has too many values: about {MAX_EVENTS // 2} is the limit", "too_large"
                )
            if isinstance(event, ScalarEvent):
                self._scalar(event)
            elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
                self._open(event)
            elif isinstance(event, (MappingEnd, SequenceEnd)):
                self._close()
            elif isinstance(event, AliasEvent):
                self._alias(event)
            elif isinstance(event, DocumentStartEvent):
                self.documents += 1
                if self.documents > 1:
                    raise _Refused(self.root, "must be one YAML document; this is several", "yaml_documents")
        return self.result

    def _scalar(self, event: ScalarEvent) -> None:
        wants_key = self._wants_key()
        value: object = event.value
        weight = _VALUE_WEIGHT + len(event.value)
        if not wants_key or event.tag is not None:
            value = self._resolve(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = (event.value if wants_key else value, weight)
        self._put(value, weight, text=event.value)

    def _resolve(self, event: ScalarEvent) -> object:
        text: str = event.value
        tag = _tag(event)
        if tag is None:
            return resolve_plain(text, self.loc) if event.style is None else text
        if tag in ("", "str"):
            return text
        value = resolve_plain(text, self.loc) if tag in ("int", "float", "bool", "null") else text
        kind = {bool: "bool", int: "int", float: "float", type(None): "null"}.get(type(value))
        if tag == "float" and kind == "int":
            return float(text)
        if kind != tag:
            raise _Refused(self.loc, f"the tag {show(str(event.tag))} does not fit here", "yaml_tag")
        return value

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        if self._wants_key():
            raise _Refused(
                self.loc,
                "a mapping or a list can't be a key (a value that begins with a template needs quotes)",
                "yaml_key",
            )
        if len(self.stack) >= MAX_DEPTH:
            raise _Refused(self.loc, f"is nested deeper than {MAX_DEPTH} levels", "too_deep")
        mapping = isinstance(event, MappingStartEvent)
        if _tag(event) not in (None, "", "map" if mapping else "seq"):
            raise _Refused(self.loc, f"the tag {show(str(event.tag))} does not fit here", "yaml_tag")
        self.stack.append(_Node({} if mapping else [], self.loc, event.anchor))

    def _close(self) -> None:
        node = self.stack.pop()
        if isinstance(node.value, dict):
            for merged in node.merges:
                _merge(node.value, merged, node.loc)
        if node.anchor is not None:
            self.anchors[node.anchor] = (node.value, node.weight)
        self._put(node.value, node.weight)

    def _alias(self, event: AliasEvent) -> None:
        found = self.anchors.get(event.anchor)
        if found is None:
            raise _Refused(
                self.loc, f"the alias {show('*' + event.anchor)} has no anchor before it", "yaml_alias"
            )
        value, weight = found
        self.aliased += weight
        if self.aliased > MAX_ALIASED:
            raise _Refused(self.loc, f"aliases add more than {MAX_ALIASED} characters", "yaml_alias")
        if self._wants_key() and not isinstance(value, str):
            raise _Refused(self.loc, "an alias used as a key must stand for a text", "yaml_key")
        self._put(value, weight, text=value if isinstance(value, str) else None)

    def _wants_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def _put(self, value: object, weight: int, *, text: str | None = None) -> None:
        """Add a finished value to what holds it; `text` is how a scalar is written, for use as a key."""
        if not self.stack:
            self.result = value
            return
        node = self.stack[-1]
        node.weight += weight
        if isinstance(node.value, list):
            node.value.append(value)
        elif node.key is None:
            key = str(text)
            if key in node.value:
                raise _Refused((*node.loc, key), f"the key {show(key)} is there twice", "duplicate_key")
            node.key = key
        else:
            if node.key == _MERGE:
                node.merges.append(value)
            else:
                node.value[node.key] = value
            node.key = None


def resolve_plain(text: str, loc: Location) -> object:
    """What a plain scalar means in the core schema. Raises for numbers that are not finite or too long."""
    if not text or (text[0] in "nN~" and _NULL.fullmatch(text)):
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INT.fullmatch(text):
        if len(text) > 32:
            raise _Refused(loc, "must be a number of 64 bits", "too_large")
        return int(text[2:], _BASES[text[:2]]) if text[:2] in _BASES else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)  # 1e400 becomes infinite; the check of plain JSON refuses it
    if _NOT_FINITE.fullmatch(text):
        raise _Refused(loc, "must be a finite number", "not_finite")
    return text


def _tag(event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> str | None:
    """`str` for `!!str`, "" for `!`, None for no tag, and the tag itself for any other."""
    if event.tag is None:
        return None
    tag = str(event.tag)
    return "" if tag == "!" else tag.removeprefix(_TAG)


def _merge(value: dict[str, object], merged: object, loc: Location) -> None:
    """Add what `<<` names under the keys that are written out; of several the first wins."""
    for source in merged if isinstance(merged, list) else [merged]:
        if not isinstance(source, dict):
            raise _Refused((*loc, _MERGE), "must be a mapping, or a list of them", "yaml_merge")
        for key, item in source.items():
            value.setdefault(key, item)
