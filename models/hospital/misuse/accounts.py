"""Accounts in other hands: left behind, broken into, lent, or given more rights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from models.hospital.audit import Deed
from models.hospital.clock import DAY, HOUR
from models.hospital.interfaces import ENGINE
from models.hospital.people import Patient, Person
from models.hospital.roster import Session, Shift
from models.hospital.scripts import SCRIPTS
from models.hospital.work import WRONG_PASSWORD

from .scene import Scene


def departed_account(scene: Scene) -> Iterator[Deed]:
    """Use an account some days after its owner left."""
    days = scene.settings.days
    gone = [(p, p.left + p.overrun) for p in scene.staff if p.left is not None and p.left + p.overrun + 2 < days]
    person, last = scene.draw.pick(gone)
    day = scene.draw.between(last + 2, min(days - 1, last + 20))
    yield from _intrusion(scene, person, scene.clock.at(day, scene.draw.span(8, 21) * HOUR))


def dormant_account(scene: Scene) -> Iterator[Deed]:
    """Use the account of someone long away."""
    days = scene.settings.days
    away = [p for p in scene.staff if days - 1 in p.away and 0 in p.away and p.left is None]
    day = scene.draw.between(days * 2 // 3, days - 1)
    yield from _intrusion(scene, scene.draw.pick(away), scene.clock.at(day, scene.draw.span(8, 21) * HOUR))


def brute_force_success(scene: Scene) -> Iterator[Deed]:
    """Try passwords on an account until one opens it."""
    person = scene.shift(scene.staff).person
    at = scene.clock.at(scene.draw.between(1, scene.settings.days - 1), scene.draw.span(7, 22) * HOUR)
    unit = scene.draw.pick([u.index for u in scene.units])
    stretch = scene.stretch(person, at, scene.draw.span(0.4, 1), unit)
    tries, beat = scene.draw.between(20, 60), scene.draw.span(2, 9)
    for n in range(tries):
        when = int((at - (tries - n) * beat - scene.draw.u()) * 1000)
        yield Deed(when, person, stretch.sessions[0], "login", "ehr", outcome="4", note=WRONG_PASSWORD)
    yield Deed(int(at * 1000), person, stretch.sessions[0], "login", "ehr")
    yield from scene.browse(stretch, scene.strangers(person, at, scene.draw.between(4, 8)), at + 30)


def shared_account(scene: Scene) -> Iterator[Deed]:
    """Work at the other site with the account of a colleague who is at work at this one."""
    carers = [p for p in scene.staff if p.role.purpose == "TREAT" and p.role.accesses > 25]
    shift = scene.shift(carers, lambda s: s.end - s.start > 6 * HOUR)
    there = scene.elsewhere(shift.unit)
    own = [d.at_ms / 1000 for d in scene.work.deeds(shift)]
    midst = [at for at in own if shift.start + 2 * HOUR < at < shift.end - 3 * HOUR]
    at = scene.draw.pick(midst or own) - scene.draw.span(60, HOUR)
    stretch = scene.stretch(shift.person, at, scene.draw.span(2, 3.5), there)
    patients = scene.inpatients(there, shift.day) or scene.patients
    yield from scene.signs(stretch)
    now = at + 60
    while now < stretch.end - 120:
        script = scene.draw.weighted(SCRIPTS[shift.person.role.key])
        for deed in scene.work.run(stretch, scene.draw.pick(patients), script, now, scene.draw):
            yield deed
            now = deed.at_ms / 1000
        now += 30 + scene.draw.wait(400)


def service_account_by_hand(scene: Scene) -> Iterator[Deed]:
    """Log in by hand with the account of the interfaces, from a workstation."""
    shift = scene.shift(scene.people, lambda s: scene.units[s.unit].kind.key == "it")
    at = scene.quiet(shift, 900)
    host, address = scene.roster.host(shift.unit, scene.draw)
    site = scene.units[shift.unit].site
    token = scene.roster.token(ENGINE.login, int(at), host)
    session = Session(int(at), int(at) + HOUR, host, address, token, site)
    yield Deed(int(at * 1000), ENGINE, session, "login", "ehr")
    stretch = Shift(shift.person, shift.day, "X", shift.unit, session.start, session.end, [session])
    targets = scene.draw.sample(scene.patients, scene.draw.between(5, 10))
    for deed in scene.browse(stretch, targets, at + 20):
        yield replace(deed, actor=ENGINE, purpose="")


def privilege_change_used(scene: Scene) -> Iterator[Deed]:
    """Change an account's rights, one's own or an accomplice's, and use them at once on strangers."""
    admins = [p for p in scene.people if p.role.key == "it"]
    shift = scene.shift(admins, lambda s: s.day < scene.settings.days - 1)
    used = shift if scene.draw.chance(0.5) else _accomplice(scene, shift)
    at = scene.quiet(shift, 300)
    yield scene.work.grant(shift, at, used.person, scene.draw)
    targets = scene.strangers(used.person, at, scene.draw.between(8, 15))
    begin = max(at + scene.draw.span(60, 1800), used.start + 900)
    yield from scene.browse(used, targets, begin)


def _accomplice(scene: Scene, shift: Shift) -> Shift:
    """Return the shift of someone else, of the same day or the next, that goes on after this one."""
    others = [p for p in scene.staff if p is not shift.person]
    days = range(shift.day, min(shift.day + 2, scene.settings.days))
    return scene.shift(others, lambda s: s.end - 3 * HOUR > shift.end, days)


def _intrusion(scene: Scene, person: Person, at: float) -> Iterator[Deed]:
    """Yield someone using another's account for a while: patients of its unit, and others."""
    remote = scene.draw.chance(0.4)
    stretch = scene.stretch(person, at, scene.draw.span(0.5, 1.5), remote=remote)
    own: list[Patient] = scene.inpatients(stretch.unit, stretch.day)
    targets = scene.draw.sample(own, scene.draw.between(0, 4)) + scene.strangers(person, at, scene.draw.between(3, 8))
    yield from scene.signs(stretch)
    yield from scene.browse(stretch, targets, at + scene.draw.span(15, DAY / 900))


KINDS = {
    "departed_account": departed_account,
    "dormant_account": dormant_account,
    "brute_force_success": brute_force_success,
    "shared_account": shared_account,
    "service_account_by_hand": service_account_by_hand,
    "privilege_change_used": privilege_change_used,
}
