"""The filter over machines: words about one field, and plain text, exact before near.

`state:running type:g5* -tag:team=nlp region:eu-*,us-* "two words" bert`: every word must hold. A
word with a key looks at one field (prefix or glob, several after commas), `-` or `!` before a word
turns it round, quotes take it literally. Plain text is looked for in every field that is shown.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cloudtui.model.instance import Instance, State

_READ: Mapping[str, Callable[[Instance], Sequence[str]]] = {
    "state": lambda i: (i.state,),
    "type": lambda i: (i.type,),
    "region": lambda i: (i.region,),
    "zone": lambda i: (i.zone,),
    "profile": lambda i: (i.profile or "default",),
    "name": lambda i: (i.name,),
    "id": lambda i: (i.id,),
    "key": lambda i: (i.key_name,),
    "ip": lambda i: (i.public_ip, i.private_ip, i.ipv6),
    "spot": lambda i: ("yes" if i.spot else "no",),
    "tag": lambda i: tuple(i.tags),
    "image": lambda i: (i.image_id,),
    "iam": lambda i: (i.iam_profile,),
    "vpc": lambda i: (i.vpc_id,),
    "subnet": lambda i: (i.subnet_id,),
    "group": lambda i: tuple(text for group in i.security_groups for text in group),
    "volume": lambda i: i.volume_ids,
    "arch": lambda i: (i.architecture,),
    "platform": lambda i: (i.platform or "linux",),
    "launched": lambda i: (i.launched.isoformat()[:10] if i.launched else "",),
}
WORDS = tuple(_READ)
"""The keys that a word of the filter may have."""

_KEY = re.compile(r"([A-Za-z][A-Za-z_-]*):")
_GLOB = re.compile(r"[*?[]")


class _Patterns:
    """Texts that begin with or look like one of some patterns; the patterns are casefolded."""

    __slots__ = ("_begins", "_looks")

    def __init__(self, patterns: Sequence[str], literal: bool) -> None:
        globs = [] if literal else [p for p in patterns if _GLOB.search(p)]
        self._begins = tuple(p for p in patterns if p not in globs)
        self._looks = re.compile("|".join(fnmatch.translate(p) for p in globs)) if globs else None

    def among(self, texts: Iterable[str]) -> bool:
        """Whether one of these is such a text; case never matters."""
        begins, looks = self._begins, self._looks
        for text in texts:
            folded = text.casefold()
            if folded.startswith(begins) or (looks and looks.match(folded)):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Term:
    """One word of the filter; everything is casefolded."""

    text: str
    """Plain text, or the tag's name of `tag:name=value`; of another key's word as it was typed."""
    key: str = ""
    values: tuple[str, ...] = ()
    """What the field may begin with or look like: one of them."""
    negated: bool = False
    literal: bool = False
    """It was quoted: `*` and `,` are letters."""
    _wanted: _Patterns = field(init=False, repr=False, compare=False)
    _name: _Patterns = field(init=False, repr=False, compare=False)
    """Of a tag."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_wanted", _Patterns(self.values, self.literal))
        object.__setattr__(self, "_name", _Patterns((self.text,), self.literal))

    def holds(self, instance: Instance, text: str) -> bool:
        """Whether the word holds for a machine whose `searched` text is `text`."""
        if not self.key:
            return (self.text in text) != self.negated
        if self.key != "tag":
            return self._wanted.among(_READ[self.key](instance)) != self.negated
        tags = instance.tags.items()
        values = [value for name, value in tags if self._name.among((name,))]
        return self._wanted.among(values) != self.negated

    def implies(self, other: Term) -> bool:
        """Whether every machine that this word lets through passes the other, as far as is sure."""
        if self == other:
            return True
        if self.key != other.key or self.negated or other.negated:
            return False
        if not self.key:
            return other.text in self.text
        if self.key == "tag" or len(self.values) != 1 or len(other.values) != 1:
            return False
        ours, theirs = self.values[0], other.values[0]
        globs = _GLOB.search(ours + theirs)
        return not globs and ours.startswith(theirs)


class Filter:
    """A query, read once; nothing in it can be wrong, what is probably meant otherwise is said."""

    def __init__(self, query: str | Sequence[str] = "") -> None:
        """From what was typed, or from words that a shell has split already."""
        words = _split(query) if isinstance(query, str) else [_shell_word(word) for word in query]
        self.problem = ""
        """The sentence about a key that does not exist; its word is taken as plain text."""
        terms = (self._term(*word) for word in words)
        self.terms = tuple(dict.fromkeys(term for term in terms if term.text or term.key))
        self._tests = tuple(t for t in self.terms if t.key or t.negated)
        self.plain = tuple(t.text for t in self.terms if not t.key and not t.negated)
        """The texts that are looked for everywhere."""

    def __bool__(self) -> bool:
        return bool(self.terms)

    def matches(self, instance: Instance, text: str | None = None) -> bool:
        """Whether every word holds; `text` is the machine's `searched` text where it is at hand."""
        if text is None:
            text = searched(instance)
        for word in self.plain:
            if word not in text:
                return False
        return all(term.holds(instance, text) for term in self._tests) if self._tests else True

    def nearness(self, instance: Instance, text: str | None = None) -> int | None:
        """How near a machine is whose name has the letters of the plain words in their order.

        Greater is nearer; None where it is not near, or another word does not hold.
        """
        if text is None:
            text = searched(instance)
        if not self.plain or not all(term.holds(instance, text) for term in self._tests):
            return None
        name, total = instance.name.casefold(), 0
        for word in self.plain:
            if word in text:
                total += WHOLE * len(word)
                continue
            found = near(word, name)
            if found is None:
                return None
            total += found[0]
        return total

    def rows(self, instances: Iterable[Instance]) -> list[Instance]:
        """The machines that match; when none does, the near ones, nearest first."""
        known = [(i, searched(i)) for i in instances]
        exact = [i for i, text in known if self.matches(i, text)]
        if exact or not self.plain:
            return exact
        scores = [(score, i) for i, text in known if (score := self.nearness(i, text)) is not None]
        return [i for _, i in sorted(scores, key=lambda pair: -pair[0])]

    def near_value(self, instances: Iterable[Instance]) -> str:
        """The sentence about a value that no machine has and one is near to, such as `runing`;
        empty where there is none."""
        known = tuple(instances)
        for term in self.terms:
            if term.key in ("", "tag") or term.negated or term.literal:
                continue
            texts = {text.casefold() for i in known for text in _READ[term.key](i)}
            texts |= set(State) if term.key == "state" else set()
            for value in term.values:
                if _GLOB.search(value) or any(text.startswith(value) for text in texts):
                    continue
                few = sorted(texts) if len(texts) <= VALUES_COMPARED else []
                if close := difflib.get_close_matches(value, few, n=1):
                    said = f"No machine has {term.key}:{value}."
                    return f"{said} {term.key}:{close[0]} is meant, perhaps."
        return ""

    def narrows(self, other: Filter) -> bool:
        """Whether whatever passes this filter is sure to pass the other."""
        return all(any(mine.implies(theirs) for mine in self.terms) for theirs in other.terms)

    def _term(self, word: str, literal: bool, quoted_at_once: bool) -> Term:
        negated = word[:1] in ("-", "!") and not quoted_at_once
        if negated:
            word = word[1:]
        found = None if quoted_at_once else _KEY.match(word)
        if found is None:
            return Term(word.casefold(), negated=negated, literal=literal)
        key, value = found[1].lower(), word[found.end() :].casefold()
        if key not in _READ:
            if key not in ("arn", "http", "https"):
                self.problem = self.problem or _unknown(key)
            return Term(word.casefold(), negated=negated, literal=literal)
        if key == "tag":
            name, _, value = value.partition("=")
            return Term(name, key, _values(value, literal), negated, literal)
        if key == "spot" and value in ("true", "1", "false", "0"):
            value = "yes" if value in ("true", "1") else "no"
        return Term(value, key, _values(value or _DEFAULTS.get(key, ""), literal), negated, literal)


_DEFAULTS = {"spot": "yes"}


def matches(instance: Instance, query: str) -> bool:
    """Whether the machine passes the filter exactly."""
    return Filter(query).matches(instance)


def searched(instance: Instance) -> str:
    """The text in which plain words are looked for: one field a line, casefolded."""
    fields = (
        instance.name,
        instance.id,
        instance.type,
        instance.zone or instance.region,
        instance.state,
        instance.public_ip,
        instance.private_ip,
        instance.key_name,
        instance.lifecycle,
        instance.profile,
        *(f"{k}={v}" for k, v in instance.tags.items() if k != "Name"),
    )
    return "\n".join(fields).casefold()


VALUES_COMPARED = 300
"""Of a field with more different values none is looked for that is near: it would take long."""
WHOLE = 32
"""What a letter counts in a word that is there as it was typed."""
_LETTER, _BOUNDARY, _NEXT, _GAP = 16, 8, 6, 1


def near(word: str, name: str) -> tuple[int, tuple[int, ...]] | None:
    """How well the letters of `word` stand in `name` in their order, and where; both casefolded.

    Letters at the beginnings of words and side by side count more, gaps less. None when they do
    not stand there.
    """
    if len(word) > len(name):
        return None
    at = -1
    for letter in word:
        at = name.find(letter, at + 1)
        if at < 0:
            return None
    best: tuple[int, tuple[int, ...]] | None = None
    start = name.find(word[0])
    while start >= 0:
        found = _walk(word, name, start)
        if found is None:
            break
        if best is None or found[0] > best[0]:
            best = found
        start = name.find(word[0], start + 1)
    return best


def _walk(word: str, name: str, start: int) -> tuple[int, tuple[int, ...]] | None:
    """The letters from `start` on, each as early as it comes, or at a later word's beginning."""
    for jumps in (True, False):
        places, at = [start], start
        for letter in word[1:]:
            at = _following(letter, name, at, jumps)
            if at < 0:
                break
            places.append(at)
        else:
            return _score(name, places), tuple(places)
    return None


def _following(letter: str, name: str, after: int, jumps: bool) -> int:
    first = name.find(letter, after + 1)
    if first == after + 1 or not jumps:
        return first
    at = first
    while at >= 0 and not _begins(name, at):
        at = name.find(letter, at + 1)
    return at if at >= 0 else first


def _begins(name: str, at: int) -> bool:
    return at == 0 or not name[at - 1].isalnum() or name[at].isdigit() != name[at - 1].isdigit()


def _score(name: str, places: Sequence[int]) -> int:
    total, before = 0, None
    for place in places:
        total += _LETTER + (_BOUNDARY if _begins(name, place) else 0)
        if before is not None:
            total += _NEXT if place == before + 1 else -_GAP * (place - before - 1)
        before = place
    return total - places[0]


def complete(query: str, instances: Iterable[Instance] = ()) -> str:
    """The query with its last word finished as far as one thing can be meant, else empty."""
    head, _, word = query.rpartition(" ")
    sign = word[:1] if word[:1] in ("-", "!") else ""
    key, colon, value = word[len(sign) :].partition(":")
    if not colon:
        names = [name for name in WORDS if name.startswith(key.lower())] if len(key) > 1 else []
        finished = f"{names[0]}:" if len(names) == 1 else ""
    elif key == "state":
        finished = _first(key, value, (state.value for state in State))
    elif key == "tag" and "=" not in value:
        finished = _first(key, value, (name for i in instances for name in i.tags), "=")
    elif key in _READ and key != "tag" and value:
        finished = _first(key, value, (text for i in instances for text in _READ[key](i)))
    else:
        finished = ""
    return f"{head} {sign}{finished}" if head and finished else f"{sign}{finished}" * bool(finished)


def _first(key: str, value: str, known: Iterable[str], after: str = "") -> str:
    found = (text for text in known if text.startswith(value) and text != value and " " not in text)
    best = next(found, "")
    return f"{key}:{best}{after}" if best else ""


def _values(value: str, literal: bool) -> tuple[str, ...]:
    if literal:
        return (value,)
    return tuple(v for v in value.split(",") if v) or ("",)


def _unknown(key: str) -> str:
    close = [name for name in WORDS if name.startswith(key)]
    close = close or difflib.get_close_matches(key, WORDS, n=1)
    meant = f" {close[0]}: is meant, perhaps." if close else ""
    return f"There is no filter word {key}:.{meant} Known: {', '.join(WORDS)}."


def _shell_word(word: str) -> tuple[str, bool, bool]:
    return word, any(letter.isspace() for letter in word), False


def _split(query: str) -> list[tuple[str, bool, bool]]:
    """The words without their quotes: (word, quoted somewhere, quoted from its beginning)."""
    words: list[tuple[str, bool, bool]] = []
    word, inside, literal, at_once, begun = "", False, False, False, False
    for letter in query + " ":
        if letter == '"':
            at_once = at_once or not begun
            inside, literal, begun = not inside, True, True
        elif letter.isspace() and not inside:
            if begun:
                words.append((word, literal, at_once))
            word, literal, at_once, begun = "", False, False, False
        else:
            word, begun = word + letter, True
    if begun:
        words.append((word[:-1], literal, at_once))
    return words
