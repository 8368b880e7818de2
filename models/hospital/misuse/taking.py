"""Data carried away or destroyed."""

from __future__ import annotations

from collections.abc import Iterator

from models.hospital.audit import CD, EMAIL, LINK, USB, Deed
from models.hospital.people import Patient, Person
from models.hospital.roster import Shift
from models.hospital.scripts import Step
from models.hospital.work import MAILBOXES

from .scene import Scene

_PUBLIC = ("partage-fichiers.example/s", "envoi-libre.example/d", "transfert.region-sante.example/d")
_DOCUMENT = Step("ehr", "export", "DocumentReference")


def mass_export(scene: Scene) -> Iterator[Deed]:
    """Export far more than one ever does: in a few large extracts, or one record after the other."""
    shift = scene.shift(_carers(scene))
    at = scene.quiet(shift, 1800)
    if scene.draw.chance(0.6):
        for _ in range(scene.draw.between(1, 3)):
            yield scene.work.extract(shift, at, scene.draw.between(250, 3000), scene.draw)
            at += scene.draw.span(60, 900)
        return
    media = scene.draw.pick((EMAIL, CD, USB))
    for patient in _unit_patients(scene, shift, scene.draw.between(25, 60)):
        yield _export(scene, shift, patient, at, media, scene.draw.pick(MAILBOXES) if media == EMAIL else "")
        at += 15 + scene.draw.wait(60)


def export_by_leaver(scene: Scene) -> Iterator[Deed]:
    """Copy records to a stick in the last days before leaving."""
    leaver, last = scene.draw.pick(_leavers(scene))
    shifts = scene.shifts(leaver, last - 6, last)
    for shift in sorted(scene.draw.sample(shifts, 2), key=lambda s: s.start):
        at = scene.quiet(shift, 600)
        for patient in _unit_patients(scene, shift, scene.draw.between(5, 15)):
            yield _export(scene, shift, patient, at, USB)
            at += 20 + scene.draw.wait(60)
        if scene.draw.chance(0.5):
            deed = scene.work.extract(shift, at, scene.draw.between(40, 300), scene.draw)
            deed.media = USB
            yield deed


def public_link(scene: Scene) -> Iterator[Deed]:
    """Put documents where anyone with the link can read them."""
    shift = scene.shift(_carers(scene))
    at = scene.quiet(shift, 300)
    for patient in _unit_patients(scene, shift, scene.draw.between(1, 4)):
        yield from scene.look(shift, patient, at, 1)
        at += scene.draw.span(90, 240)
        link = f"https://{scene.draw.pick(_PUBLIC)}/{scene.draw.below(10**8):08d}"
        yield _export(scene, shift, patient, at, LINK, link)
        at += scene.draw.span(30, 200)


def mass_deletion(scene: Scene) -> Iterator[Deed]:
    """Delete many documents within the hour."""
    shift = scene.shift(_carers(scene))
    at = scene.quiet(shift, 1800)
    for patient in _unit_patients(scene, shift, scene.draw.between(12, 25)):
        for _ in range(scene.draw.between(1, 5)):
            yield scene.work.step(shift, patient, Step("ehr", "delete", "DocumentReference"), at, scene.draw)
            at += 3 + scene.draw.wait(20)


def scraping(scene: Scene) -> Iterator[Deed]:
    """Read record after record in the order of their numbers, at a machine's rhythm."""
    shift = scene.shift(scene.staff)
    n = min(scene.draw.between(150, 300), len(scene.patients) // 4)
    first = scene.draw.below(len(scene.patients) - n)
    at, beat = scene.quiet(shift, 900), scene.draw.span(2.5, 5)
    kinds = [step.kind for step in scene.reading(shift.person)]
    for patient in scene.patients[first : first + n]:
        deed = scene.work.step(shift, patient, Step("ehr", "read", kinds[0]), at, scene.draw)
        yield deed
        at += beat + scene.draw.span(0, 0.4)


def _carers(scene: Scene) -> list[Person]:
    wards = {unit.index for unit in scene.units if unit.ward}
    return [p for p in scene.staff if p.posts[0][1] in wards and p.role.key != "aide"]


def _leavers(scene: Scene) -> list[tuple[Person, int]]:
    found = [(p, p.left) for p in scene.staff if p.left is not None]
    return [(p, left) for p, left in found if scene.shifts(p, left - 6, left)]


def _unit_patients(scene: Scene, shift: Shift, n: int) -> list[Patient]:
    """Return patients of the shift's unit over the last weeks, completed by others."""
    days = range(shift.day - 30, shift.day + 1)
    known = {p.index: p for day in days for p in scene.inpatients(shift.unit, day)}
    found = scene.draw.sample(list(known.values()), n)
    return found or scene.draw.sample(scene.patients, n)


def _export(scene: Scene, shift: Shift, patient: Patient, at: float, media: tuple[str, str], destination: str = "") -> Deed:
    deed = scene.work.step(shift, patient, _DOCUMENT, at, scene.draw)
    deed.media, deed.destination = media, destination
    return deed


KINDS = {
    "mass_export": mass_export,
    "export_by_leaver": export_by_leaver,
    "public_link": public_link,
    "mass_deletion": mass_deletion,
    "scraping": scraping,
}
