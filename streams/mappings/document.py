"""What a mapping file may say: the model of its YAML. `docs/mappings.md` has the reference of these keys."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from sentinel.core.event import COUNT_MAX, REASON_MAX, TEXT_MAX, Action, ActorType, Destination, Outcome
from streams.mappings import patterns, times
from streams.mappings.zones import SITE, zone
from streams.yaml_file import Strict

FORMATS: Final = ("csv", "json", "xml", "lines", "key-value")
FLAT: Final = ("csv", "lines", "key-value")
ENCODINGS: Final = ("utf-8", "utf-16", "utf-16-be", "windows-1252", "iso-8859-1", "iso-8859-15")
VALUE_SETS: Final[dict[str, frozenset[str]]] = {
    "action": frozenset(Action),
    "outcome": frozenset(Outcome),
    "actor_type": frozenset(ActorType),
    "destination": frozenset(Destination),
}
REQUIRED: Final = ("occurred_at", "action", "actor_id")
DERIVED: Final = "derived"
LISTS_MAX: Final = 4


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _pattern(text: str) -> str:
    patterns.compiled(text)
    return text


def _format(text: str) -> str:
    if text not in times.NAMED:
        times.expression(text)
    return text


Name = Annotated[str, Field(min_length=1, max_length=200)]
Names = Annotated[list[Name], BeforeValidator(_listed), Field(min_length=1, max_length=20)]
Texts = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1, max_length=5_000)]
Pattern = Annotated[str, AfterValidator(_pattern)]
PatternList = Annotated[list[Pattern], BeforeValidator(_listed), Field(min_length=1, max_length=20)]
Formats = Annotated[list[Annotated[str, AfterValidator(_format)]], BeforeValidator(_listed), Field(min_length=1, max_length=20)]
Alias = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,40}$")]


class Csv(Strict):
    """How rows are written."""

    delimiter: str = Field(",", description="one character, or the word `tab`")
    quote: str = Field('"', description="one character, or the word `none`")
    escape: str = Field("", description="what stands before a quote within quotes, such as `\\`; empty: a quote is doubled")
    columns: list[Name] | None = Field(
        None, max_length=500, description="the columns' names in their order, when no first row tells them"
    )
    columns_min: int | None = Field(None, ge=1, description="a row may end after so many of `columns`; none: it has them all")
    optional: list[Name] = Field([], description="columns that the first row may be without")

    @field_validator("delimiter")
    @classmethod
    def _one_delimiter(cls, text: str) -> str:
        return _one_character("\t" if text == "tab" else text)

    @field_validator("quote")
    @classmethod
    def _one_quote(cls, text: str) -> str:
        return "" if text == "none" else _one_character(text)

    @field_validator("escape")
    @classmethod
    def _one_escape(cls, text: str) -> str:
        return _one_character(text) if text else ""

    @model_validator(mode="after")
    def _told(self) -> Self:
        if self.columns_min is not None and (self.columns is None or self.columns_min > len(self.columns)):
            raise ValueError("columns_min goes with columns, and is not more than they are")
        if self.columns is not None and len({name.casefold() for name in self.columns}) < len(self.columns):
            raise ValueError("two columns of one name")
        return self


def _one_character(text: str) -> str:
    if len(text) != 1 or text in "\r\n\0":
        raise ValueError("one character")
    return text


class Line(Strict):
    """One kind of line."""

    pattern: Pattern = Field(description="RE2, found anywhere in the line unless it begins with `^`; its named groups are fields")
    set: dict[Name, str] = Field({}, description="more fields, the same for each line of this kind")


class Lines(Strict):
    """Which kinds of lines there are. The first whose pattern is found counts."""

    kinds: list[Line] = Field(min_length=1, max_length=100, description="each with `pattern` and perhaps `set`")
    otherwise: Literal["refuse", "skip"] = Field("refuse", description="what becomes of a line of no kind")


class KeyValue(Strict):
    """How pairs are written."""

    sign: str = Field("=", min_length=1, max_length=4, description="what stands between a name and its value")
    between: str = Field("", max_length=4, description="what stands between pairs; empty: blanks")
    quote: str = Field('"', description="what values with blanks are within; `none`: nothing")

    @field_validator("quote")
    @classmethod
    def _one_quote(cls, text: str) -> str:
        return "" if text == "none" else _one_character(text)


class Split(Strict):
    """A list of which each item is an event of its own."""

    list: Name = Field(description="selector of the list, or of the text that holds several values")
    alias: Alias = Field(alias="as", description="what selectors call an item: `item`, `item.name`")
    separator: str = Field("", max_length=4, description="what stands between the values of a text")
    optional: bool = Field(default=False, description="whether a record without the list is one event, rather than refused")

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.separator and self.list == self.alias:
            raise ValueError("an item is called otherwise than the text it is part of")
        return self


class Part(Strict):
    """A value that is written in a format of its own. Its fields are selected as `alias.name`."""

    source: Name = Field(alias="from", description="selector of the value")
    alias: Alias = Field(alias="as", description="what selectors call it")
    format: Literal["pattern", "csv", "json", "key-value"] = Field(description="how it is written")
    pattern: PatternList | None = Field(None, description="for `pattern`: RE2 with named groups; the first that is found counts")
    columns: list[Name] | None = Field(None, description="for `csv`: the names of its cells in their order")
    csv: Csv = Field(Csv(), description="for `csv`: delimiter, quote and escape")
    key_value: KeyValue = Field(KeyValue(), alias="key-value", description="for `key-value`: sign, between and quote")
    required: bool = Field(default=False, description="whether an event whose part cannot be read is refused")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.format == "pattern") != (self.pattern is not None):
            raise ValueError("pattern goes with format: pattern")
        if (self.format == "csv") != (self.columns is not None):
            raise ValueError("columns go with format: csv")
        if self.source == self.alias:
            raise ValueError("a part is called otherwise than what it is read from")
        return self


class Condition(Strict):
    """Something that holds of an event or not. One of `is`, `is_not`, `like`, `unlike`, `told`; `and` adds others."""

    where: Name = Field(description="selector")
    is_: Texts | None = Field(None, alias="is", description="it is one of these values, whatever their case")
    is_not: Texts | None = Field(None, description="it is none of these values")
    like: Pattern | None = Field(None, description="the pattern is found in it")
    unlike: Pattern | None = Field(None, description="the pattern is not found in it")
    told: bool | None = Field(None, description="`yes`: there is a value; `no`: there is none")
    and_: list[Condition] = Field([], alias="and", max_length=10, description="conditions that hold as well")

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if sum(one is not None for one in (self.is_, self.is_not, self.like, self.unlike, self.told)) != 1:
            raise ValueError("a condition has one of is, is_not, like, unlike, told")
        return self


class Like(Strict):
    """A value for texts in which a pattern is found."""

    like: Pattern = Field(description="RE2")
    value: str = Field(description="what the field becomes")


class Rule(Strict):
    """How a field of the event comes about. A rule that is a text alone is `from`."""

    source: Names | None = Field(None, alias="from", description="selector; of several, the first that tells something")
    join: Names | None = Field(None, description="selectors whose values are put together; those that tell nothing are left out")
    between: str = Field(" ", max_length=10, description="what stands between the joined values")
    value: str | None = Field(None, description="the same for every event")
    pattern: PatternList | None = Field(
        None, description="RE2: what its first group takes is the value, or all it finds; the first that is found counts"
    )
    lower: bool = Field(default=False, description="whether the value is put in lower case")
    map: dict[str, str] = Field(
        {}, max_length=5_000, description="value: what it becomes; values are the same whatever their case"
    )
    match: list[Like] = Field([], max_length=200, description="after `map`: the first whose pattern is found gives the value")
    keep: bool = Field(default=False, description="whether a value that neither `map` nor `match` knows stays as it is")
    prefix: str = Field("", max_length=50, description="what is put before a value")
    default: str | None = Field(None, description="what it is when nothing is told, or `map` and `match` don't know what is")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum(one is not None for one in (self.source, self.join, self.value)) != 1:
            raise ValueError("a field has one of from, join, value")
        if len({key.strip().casefold() for key in self.map}) < len(self.map):
            raise ValueError("map has a value twice")
        if self.keep and not (self.map or self.match):
            raise ValueError("keep goes with map or match")
        return self

    @property
    def selectors(self) -> tuple[str, ...]:
        """The selectors that the rule reads."""
        return tuple(self.source or self.join or ())

    @property
    def results(self) -> list[str]:
        """The values that the rule itself can give."""
        own = [*self.map.values(), *(one.value for one in self.match)]
        return [*own, *(one for one in (self.value, self.default) if one is not None)]


class TimeRule(Strict):
    """How the time of the event comes about. A rule that is a text alone is `from`."""

    source: Names | None = Field(None, alias="from", description="selector; of several, the first that tells something")
    join: Names | None = Field(None, description="selectors whose values are put together")
    between: str = Field(" ", max_length=10, description="what stands between the joined values")
    pattern: PatternList | None = Field(None, description="RE2: what its first group takes is the time")
    format: Formats = Field(
        ["iso"], description="how times are written: `iso`, `epoch_s` … or letters; of several, the first that fits"
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.source is None) == (self.join is None):
            raise ValueError("a time has one of from, join")
        return self

    @property
    def selectors(self) -> tuple[str, ...]:
        """The selectors that the rule reads."""
        return tuple(self.source or self.join or ())


def _short(value: object) -> object:
    return {"from": value} if isinstance(value, str | list) else value


def _derived(value: object) -> object:
    return None if value == DERIVED else _short(value)


AnyRule = Annotated[Rule, BeforeValidator(_short)]


class Fields(Strict):
    """The fields of the event (docs/formats.md tells what each means)."""

    id: Annotated[Rule | None, BeforeValidator(_derived)] = Field(
        None, description="what tells this event from all others; `derived`, or left out: made of what the record says"
    )
    occurred_at: Annotated[TimeRule, BeforeValidator(_short)] = Field(description="when it happened")
    action: AnyRule = Field(description=f"{' '.join(Action)}")
    outcome: AnyRule | None = Field(None, description=f"{' '.join(Outcome)}; not told: success")
    actor_id: AnyRule = Field(description="who acted")
    actor_type: AnyRule | None = Field(None, description=f"{' '.join(ActorType)}; not told: human")
    actor_role: AnyRule | None = Field(None, description="their role, as text")
    actor_unit: AnyRule | None = Field(None, description="the unit they acted for")
    actor_rpps: AnyRule | None = Field(None, description="their RPPS number")
    patient_id: AnyRule | None = Field(None, description="whose record")
    resource_type: AnyRule | None = Field(None, description="what kind of thing was touched")
    resource_id: AnyRule | None = Field(None, description="which one")
    resource_sensitivity: AnyRule | None = Field(None, description="its security label")
    resource_count: AnyRule | None = Field(None, description=f"how many records, 0 to {COUNT_MAX:,}; not told: 1")
    purpose: AnyRule | None = Field(None, description="why, as a code (TREAT, ETREAT, BTG …)")
    reason: AnyRule | None = Field(None, description=f"why, as text; cut at {REASON_MAX:,} characters")
    client_address: AnyRule | None = Field(None, description="IP address they came from")
    device: AnyRule | None = Field(None, description="the workstation")
    application: AnyRule | None = Field(None, description="the application")
    site: AnyRule | None = Field(None, description="the site")
    session: AnyRule | None = Field(None, description="the session")
    destination: AnyRule | None = Field(None, description="removable email paper link other; where exported or shared data went")

    @model_validator(mode="after")
    def _in_value_sets(self) -> Self:
        for name, allowed in VALUE_SETS.items():
            rule: Rule | None = getattr(self, name)
            wrong = [one for one in (rule.results if rule else ()) if one not in allowed]
            if wrong:
                raise ValueError(f"{name} cannot be {wrong[0][:40]!r} (it is one of: {', '.join(sorted(filter(None, allowed)))})")
        count = self.resource_count.results if self.resource_count else ()
        if not all(one.isascii() and one.isdigit() for one in count):
            raise ValueError("resource_count is a whole number")
        if any(len(one) > TEXT_MAX for _, rule in self.rules() for one in rule.results):
            raise ValueError(f"a value of more than {TEXT_MAX} characters")
        return self

    def rules(self) -> list[tuple[str, Rule]]:
        """Return the fields that are told and their rules, in the order of the event; the time is not among them."""
        told = [(name, getattr(self, name)) for name in type(self).model_fields]
        return [(name, rule) for name, rule in told if isinstance(rule, Rule)]


class Sample(Strict):
    """A test: what a file holds, and what becomes of it."""

    name: str = Field("", max_length=200, description="what it shows")
    record: str = Field(max_length=65_536, description="the file's text, first row included")
    events: list[dict[str, str]] = Field([], description="the events in their order; fields that are not written are not told")
    rejected: Texts | None = Field(
        None, description="codes of what is refused, in order, perhaps with pointers: `bad-time /date`"
    )
    skipped: int = Field(0, ge=0, description="how many are passed over")


class Mapping(Strict):
    """One format."""

    mapping: str = Field(pattern=r"^[a-z][a-z0-9_]{1,60}$", description="the name, which is also the file's")
    title: str = Field(min_length=1, max_length=200, description="one line for lists")
    about: str = Field("", max_length=10_000, description="what an operator has to know: where the file comes from, what to set")
    format: Literal["csv", "json", "xml", "lines", "key-value"] = Field(description="the shape of records")
    encoding: Literal["utf-8", "utf-16", "utf-16-be", "windows-1252", "iso-8859-1", "iso-8859-15"] = Field(
        "utf-8", description="how characters are written; XML says so itself"
    )
    time_zone: Annotated[str, AfterValidator(zone)] = Field(
        SITE, description="IANA name for times without an offset; `site`: that of the setting `SENTINEL_TIMEZONE`"
    )
    ambiguous: times.Ambiguous = Field(
        "earlier", description="which instant a local time is that comes twice when clocks go back: earlier, later, or refuse"
    )
    year: int | None = Field(None, ge=1990, le=2099, description="of times whose format has none")
    not_told: list[str] = Field(["-", "NULL", "null", "\\N"], max_length=50, description="values that mean that nothing is told")
    csv: Csv = Field(Csv(), description="for `csv`")
    lines: Lines | None = Field(None, description="for `lines`")
    key_value: KeyValue = Field(KeyValue(), alias="key-value", description="for `key-value`")
    split: list[Split] = Field([], max_length=LISTS_MAX, description="lists of which each item is an event, the outer one first")
    parts: list[Part] = Field([], max_length=20, description="values in a format of their own")
    skip: list[Condition] = Field([], max_length=50, description="what is passed over and counted, not refused: when any holds")
    fields: Fields = Field(description="the event, field by field")
    tests: list[Sample] = Field([], max_length=200, description="what records become; a mapping whose tests fail is refused")

    @model_validator(mode="before")
    @classmethod
    def _sections_of_the_format(cls, value: Any) -> Any:
        told = value.get("format") if isinstance(value, dict) else None
        for name in ("csv", "lines", "key-value"):
            if told in FORMATS and isinstance(value, dict) and name in value and name != told:
                raise ValueError(f"{name} goes with format: {name}")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.format == "lines" and self.lines is None:
            raise ValueError("format: lines needs lines")
        if self.year is None and any(map(times.needs_year, self.fields.occurred_at.format)):
            raise ValueError("the time format has no year: tell one with year")
        aliases = [*(one.alias for one in self.split), *(one.alias for one in self.parts)]
        if len(set(aliases)) < len(aliases):
            raise ValueError("two lists or parts of one name")
        if self.format in FLAT and not all(one.separator for one in self.split):
            raise ValueError(f"in {self.format}, what is split is a text: tell its separator")
        return self
