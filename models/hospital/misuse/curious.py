"""Records opened out of curiosity: people known to the reader, known to all, or to nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models.hospital.audit import Deed, resource_of
from models.hospital.care import DOCTORS
from models.hospital.clock import DAY, HOUR
from models.hospital.names import RARE
from models.hospital.people import Patient, Person
from models.hospital.roster import Shift
from models.hospital.units import OFFICE

from .scene import Scene

_RARE = frozenset(RARE)


def coworker(scene: Scene) -> Iterator[Deed]:
    """Read the record of a colleague, most often of the same unit."""
    target = scene.draw.pick([p for p in scene.patients if p.staff is not None])
    colleague = scene.people[target.staff or 0]
    near = [p for p in scene.staff if p is not colleague and p.posts[0][1] == colleague.posts[0][1]]
    others = [p for p in scene.staff if p is not colleague]
    yield from _visits(scene, near if near and scene.draw.chance(0.65) else others, target)


def household(scene: Scene) -> Iterator[Deed]:
    """Read the record of someone who lives under the same roof."""
    yield from _of_own_circle(scene, [p for p in scene.patients if p.household is not None], "household")


def same_name(scene: Scene) -> Iterator[Deed]:
    """Read the record of someone with the same uncommon family name."""
    kin = [p for p in scene.patients if p.kin is not None and p.family in _RARE]
    yield from _of_own_circle(scene, kin, "kin")


def own_record(scene: Scene) -> Iterator[Deed]:
    """Read one's own record."""
    yield from _of_own_circle(scene, [p for p in scene.patients if p.staff is not None], "staff")


def neighbour(scene: Scene) -> Iterator[Deed]:
    """Read the record of someone a few doors away."""
    for _ in range(400):
        person = scene.draw.pick(scene.staff)
        doors = [p for p in scene.patients if _next_door(person, p)]
        if doors and scene.shifts(person, 0, scene.settings.days):
            yield from _visits(scene, [person], scene.draw.pick(doors))
            return


def vip(scene: Scene) -> Iterator[Deed]:
    """Read the marked record of someone known to the public."""
    yield from _visits(scene, scene.staff, scene.draw.pick([p for p in scene.patients if p.celebrity]))


def deceased(scene: Scene) -> Iterator[Deed]:
    """Read the record of someone who died months or years ago."""
    start = scene.clock.midnight(0)
    dead = [p for p in scene.patients if p.died is not None and p.died < start - 90 * DAY]
    yield from _visits(scene, scene.staff, scene.draw.pick(dead))


def former_patient(scene: Scene) -> Iterator[Deed]:
    """Come back, weeks later, to the record of someone once cared for."""
    wards = [p for p in scene.staff if scene.units[p.posts[0][1]].beds]
    for _ in range(400):
        shift = scene.shift(wards)
        gone = _long_gone(scene, shift)
        if gone:
            target = scene.draw.pick(gone)
            for sitting in scene.sittings(shift, 4, 14):
                yield from scene.look(sitting, target, scene.quiet(sitting, 90))
            return


def curiosity_burst(scene: Scene) -> Iterator[Deed]:
    """Read, as many others do within three days, the record of a patient who is in the news."""
    days = scene.settings.days
    stays = [
        s
        for s in scene.care.stays
        if s.klass == "IMP" and 0 <= scene.clock.day_of(s.start) < days - 3 and scene.patients[s.patient].staff is None
    ]
    stay = scene.draw.pick(stays)
    target, first = scene.patients[stay.patient], scene.clock.day_of(stay.start)
    crowd = [p for p in scene.staff if scene.stranger(p, target, stay.start)]
    for person in scene.draw.sample(crowd, scene.draw.between(9, 16)):
        shifts = [s for s in scene.shifts(person, first, first + 2) if s.end > stay.start + 2 * HOUR]
        if shifts:
            shift = scene.draw.pick(shifts)
            yield from scene.look(shift, target, max(stay.start + HOUR + scene.draw.span(0, HOUR), scene.quiet(shift, 60)), 1)


def unit_mismatch(scene: Scene) -> Iterator[Deed]:
    """Browse several records of a unit one has nothing to do with, in one shift."""
    shift = scene.shift(scene.staff, lambda s: s.end - s.start > 6 * HOUR)
    own = {unit for _, unit in shift.person.posts}
    wards = [u.index for u in scene.units if u.beds and u.index not in own and scene.inpatients(u.index, shift.day)]
    there = scene.inpatients(scene.draw.pick(wards), shift.day)
    targets = scene.strangers(shift.person, shift.start, scene.draw.between(6, 12), there)
    if len(targets) < 5:  # someone whose work reaches that unit: people who are not in the house
        targets = scene.strangers(shift.person, shift.start, scene.draw.between(6, 12))
    yield from scene.browse(shift, targets, scene.quiet(shift, 900))


def sensitive_category(scene: Scene) -> Iterator[Deed]:
    """Open what sensitive units wrote about people one has nothing to do with."""
    shift = scene.shift(scene.staff)
    marked = [p for p in scene.patients if p.label]
    label = scene.draw.pick(marked).label
    targets = scene.strangers(shift.person, shift.start, scene.draw.between(5, 9), [p for p in marked if p.label == label])
    sittings = scene.sittings(shift, 3, 6)
    for n, target in enumerate(targets):
        sitting = sittings[n % len(sittings)]
        yield from _open_labelled(scene, sitting, target, scene.quiet(sitting, 60))


def name_probing(scene: Scene) -> Iterator[Deed]:
    """Try name after name in the search, and open few of the records found."""
    shift = scene.shift([p for p in scene.staff if p.role.key != "clerk"])
    at = scene.quiet(shift, 900)
    for patient in scene.strangers(shift.person, at, scene.draw.between(15, 40)):
        yield scene.work.search(shift, patient, at, scene.draw)
        at += 4 + scene.draw.wait(25)
        if scene.draw.chance(0.1):
            for deed in scene.work.run(shift, patient, scene.reading(shift.person), at, scene.draw):
                yield deed
                at = deed.at_ms / 1000 + scene.draw.span(3, 15)


def break_glass_abuse(scene: Scene) -> Iterator[Deed]:
    """Use the emergency override on strangers, giving no motive and doing nothing for them."""
    carers = [p for p in scene.staff if p.role.purpose == "TREAT" and p.role.key != "aide"]
    sittings = scene.sittings(scene.shift(carers), 3, 7)
    targets = scene.strangers(sittings[0].person, sittings[0].start, scene.draw.between(3, 6))
    for n, target in enumerate(targets):
        shift = sittings[n % len(sittings)]
        at = scene.quiet(shift, 90)
        yield scene.work.override(shift, target, at, "", scene.draw)
        yield from scene.work.run(shift, target, scene.reading(shift.person), at + scene.draw.span(3, 12), scene.draw)


def low_and_slow(scene: Scene) -> Iterator[Deed]:
    """Look at a few strangers a shift, for weeks."""
    days = scene.settings.days
    first = scene.draw.between(days // 6, days // 3)
    regular = [p for p in scene.staff if len(scene.shifts(p, first, days)) > (days - first) // 3]
    person = scene.draw.pick(regular or scene.staff)
    for shift in scene.shifts(person, first, days):
        for target in scene.strangers(person, shift.start, scene.draw.between(3, 6)):
            yield from scene.look(shift, target, scene.quiet(shift, 60), 1)


def off_hours(scene: Scene) -> Iterator[Deed]:
    """Come back at night, with no duty, for one's own patients and for others."""
    office = [p for p in scene.staff if p.rotation == OFFICE and p.role.key not in DOCTORS | {"intern"}]
    shift = scene.shift(office, lambda s: s.letter == OFFICE and s.day > 1)
    at = scene.clock.at(shift.day + 1, scene.draw.span(0.5, 4) * HOUR)
    stretch = scene.stretch(shift.person, at, scene.draw.span(0.6, 1.6), remote=scene.draw.chance(0.5))
    own = scene.inpatients(shift.unit, shift.day)
    targets = scene.draw.sample(own, scene.draw.between(2, 4)) + scene.strangers(shift.person, at, scene.draw.between(3, 5))
    yield from scene.signs(stretch)
    yield from scene.browse(stretch, targets, at + scene.draw.span(20, 120))


# --- what several of them share --------------------------------------------------------------------


def _of_own_circle(scene: Scene, circle: Sequence[Patient], tie: str) -> Iterator[Deed]:
    """Yield someone reading the record of a person of their own circle."""
    for target in scene.draw.sample(circle, len(circle)):
        person = scene.people[getattr(target, tie)]
        if person.role.accesses >= 10 and scene.shifts(person, 0, scene.settings.days):
            yield from _visits(scene, [person], target)
            return


def _visits(scene: Scene, who: Sequence[Person], target: Patient) -> Iterator[Deed]:
    """Yield one to three sittings of one person on one record, on different shifts."""
    shift = scene.shift(who, lambda s: scene.stranger(s.person, target, s.start))
    for sitting in scene.sittings(shift, 3):
        yield from scene.look(sitting, target, scene.quiet(sitting, 90), scene.draw.between(1, 3))


def _next_door(person: Person, patient: Patient) -> bool:
    near = patient.home[1:] == person.home[1:] and abs(patient.home[0] - person.home[0]) <= 8
    return near and patient.home[0] != person.home[0] and patient.family != person.family


def _long_gone(scene: Scene, shift: Shift) -> list[Patient]:
    """Return patients who left the shift's unit 28 to 70 days before, and were not seen there since."""
    days = range(shift.day - 70, shift.day - 27)
    left = {stay.patient for day in days for stay in scene.care.left.get((shift.unit, day), [])}
    since = [s for p in left for s in scene.care.contacts[p] if s.unit == shift.unit]
    back = {s.patient for s in since if s.end > shift.start - 27 * DAY and s.start < shift.start + 7 * DAY}
    return [scene.patients[p] for p in sorted(left - back)]


def _open_labelled(scene: Scene, shift: Shift, target: Patient, at: float) -> Iterator[Deed]:
    """Yield the reading of one to three labelled documents."""
    for deed in scene.look(shift, target, at, 1):
        yield deed
        at = deed.at_ms / 1000
    for _ in range(scene.draw.between(1, 3)):
        at += scene.draw.span(6, 50)
        step = scene.reading(shift.person)[0]._replace(app="ehr", kind="DocumentReference")
        deed = scene.work.step(shift, target, step, at, scene.draw)
        deed.resource, deed.label = resource_of(target, "DocumentReference", 3 * scene.draw.below(8))
        yield deed


KINDS = {
    "coworker": coworker,
    "household": household,
    "same_name": same_name,
    "neighbour": neighbour,
    "own_record": own_record,
    "vip": vip,
    "curiosity_burst": curiosity_burst,
    "deceased": deceased,
    "former_patient": former_patient,
    "unit_mismatch": unit_mismatch,
    "name_probing": name_probing,
    "break_glass_abuse": break_glass_abuse,
    "sensitive_category": sensitive_category,
    "low_and_slow": low_and_slow,
    "off_hours": off_hours,
}
