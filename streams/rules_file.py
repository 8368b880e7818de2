"""The file of rules: suppressions, watch-lists and maintenance windows, in YAML. `docs/rules.md` says what they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, model_validator

from sentinel.core.errors import RefusedToStartError
from sentinel.core.event import TEXT_MAX, ActorType, microseconds, moment
from sentinel.core.house_rules import HouseRules, Rule, RuleKind, Selector, house_rules_of
from streams.yaml_file import Strict, parse, read_bytes

RULES_MAX: Final = 200
NAMES_MAX: Final = 500
YEAR: Final = timedelta(days=366)
MONTH: Final = timedelta(days=31)


def _moment(value: object) -> object:
    return moment(value) if isinstance(value, str) else value


def _once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("one of them is there twice")
    return names


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
Word = Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]
Names = Annotated[list[Word], Field(max_length=NAMES_MAX), AfterValidator(_once)]
About = Annotated[str, Field(min_length=2, max_length=500)]


class Declared(Strict):
    """What each rule says of itself."""

    kind: ClassVar[RuleKind]
    longest: ClassVar[timedelta] = YEAR

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")] = Field(
        description="what it is called in alerts; changes as the rule does, and names nobody"
    )
    owner: About = Field(description="who answers for it")
    reason: About = Field(description="why it is there")
    since: Moment = Field(alias="from", description="from when on: RFC 3339 with an offset, compared with the time of events")
    until: Moment = Field(description="until when, without that moment; at most a year on, of a window 31 days")
    actors: Names = Field([], description="people and accounts, by any of their ids")
    applications: Names = Field([], description="as the events tell them")
    detectors: Names = Field([], description="what is found by these; `session_trees` is the model")

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.until <= self.since:
            raise ValueError("until comes after from")
        if self.until - self.since > self.longest:
            raise ValueError(f"it lasts {self.longest.days} days at most")
        return self

    def rule(self) -> Rule:
        """Return it as the core knows it."""
        return Rule(self.name, self.kind, microseconds(self.since), microseconds(self.until), self.selector())

    def selector(self) -> Selector:
        """Return what it is about: each list that it has."""
        told = {name: frozenset(getattr(self, name)) for name in Selector.__slots__ if getattr(self, name, ())}
        return Selector(**told)


class People(Declared):
    """What a rule about people may say beside it."""

    units: Names = Field([], description="units that the person works in, or that hold those: by the event or by a position")
    roles: Names = Field([], description="the role that the person has there")
    patients: Names = Field([], description="whose record it is, by any of their ids")
    sources: Names = Field([], description="formats that the events come in")


class Suppression(People):
    """What is not told. All that is said has to fit, of each list one; something has to be said."""

    kind = RuleKind.SUPPRESSION

    alerts: Names = Field([], description="ids of stories in the queue")

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if self.selector() == Selector():
            raise ValueError("it would hide everything: say what it is about")
        return self


class WatchList(People):
    """Whom, or whose record, is looked at more closely."""

    kind = RuleKind.WATCH_LIST

    raises: Annotated[float, Field(gt=0, le=8)] = Field(
        description="how much is added to the priority of a story on them, once; of several lists the most counts"
    )
    every_access: bool = Field(
        default=False, description="whether each access to a patient is told, explained or not and whatever the budget"
    )

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if not (self.actors or self.patients):
            raise ValueError("it names actors or patients")
        if self.every_access and self.detectors:
            raise ValueError("every_access asks for no detectors")
        return self

    def rule(self) -> Rule:
        """Return it as the core knows it."""
        told = super().rule()
        return Rule(told.name, told.kind, told.since, told.until, told.about, self.raises, self.every_access)


class Maintenance(Declared):
    """A time in which a source does what it does else not, such as a copy of all its records."""

    kind = RuleKind.MAINTENANCE
    longest = MONTH

    sources: Annotated[list[Word], Field(min_length=1, max_length=NAMES_MAX), AfterValidator(_once)] = Field(
        description="formats that its events come in"
    )
    people: bool = Field(default=False, description="whether it is for what people do as well, not for programs alone")

    def selector(self) -> Selector:
        """Return what it is about: programs, unless it says otherwise."""
        told = super().selector()
        about = {name: getattr(told, name) for name in Selector.__slots__}
        return Selector(**about | {"actor_types": frozenset() if self.people else frozenset({ActorType.SERVICE})})


class File(Strict):
    """The file."""

    suppressions: list[Suppression] = Field([], max_length=RULES_MAX, description="what is kept and not told")
    watch_lists: list[WatchList] = Field([], max_length=RULES_MAX, description="whom to look at more closely")
    maintenance: list[Maintenance] = Field(
        [], max_length=RULES_MAX, description="what sources do on some days is kept and not told"
    )

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [one.name for one in self.declared()]
        if len(set(names)) < len(names):
            raise ValueError("two of one name")
        return self

    def declared(self) -> Iterator[Declared]:
        """Yield all that it declares, in its order."""
        yield from self.suppressions
        yield from self.watch_lists
        yield from self.maintenance

    def rules(self) -> HouseRules:
        """Return them as the core knows them."""
        return house_rules_of([one.rule() for one in self.declared()])


def read(path: Path) -> File:
    """Return what a file of rules says.

    Raises:
        WrongFileError: it is not there, not YAML, or says what such a file cannot; the message names file, line and key.
    """
    return parse(read_bytes(path), path.name, File, "file of rules")


def check_names(file: File, detectors: Sequence[str], sources: Sequence[str]) -> None:
    """Return when the detectors and formats that rules name are there: a mistyped one would never hide anything.

    Raises:
        RefusedToStartError: one of them is not; the message names rule and key.
    """
    for one in file.declared():
        about = one.selector()
        for key, named, known in (("detectors", about.detectors, detectors), ("sources", about.sources, sources)):
            if missing := sorted(named - set(known)):
                raise RefusedToStartError(f"rules: {one.name}: {key}: there is no {', '.join(missing)}")


def state_of(rule: Rule, now_us: int) -> str:
    """Return where a rule stands at a moment: `to come`, `in force` or `over`."""
    return "to come" if now_us < rule.since else "in force" if now_us < rule.until else "over"
