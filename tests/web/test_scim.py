"""SCIM as identity providers speak it: who works here, in what, and who left, as context of the staff."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sentinel.core.context import Position, StaffMember
from sentinel.web.ports import Security
from streams.context.fhir import decode
from streams.dead_letters import DeadLetters
from streams.embedded import Intake
from streams.intake_log import IntakeLog, LogBounds
from streams.listeners.directory import Directory
from streams.listeners.feeding import ContextFeed
from tests.listeners.listening import records_in
from tests.web.api_parts import App, FixedClock, an_app

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
USER = {
    "schemas": [USER_SCHEMA, ENTERPRISE],
    "userName": "MLefebvre@chu.example",
    "externalId": "e-17",
    "name": {"familyName": "Lefebvre", "givenName": "Marie"},
    "title": "Infirmière",
    "emails": [{"value": "marie.lefebvre@chu.example", "type": "work"}],
    "active": True,
    ENTERPRISE: {"department": "CARDIO", "employeeNumber": "4711"},
}


def patch(*operations: dict) -> dict:
    return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": list(operations)}


class Site:
    """A service that takes SCIM, and what it has told of its staff."""

    def __init__(self, folder: Path, **told: Any) -> None:
        self.log, self.dead = IntakeLog(folder, LogBounds()), DeadLetters(folder, 10**8)
        self.intake = Intake(self.log, self.dead, lambda: None)
        feed = ContextFeed("t", decode, self.intake, FixedClock().now_us, Counter())
        self._app = an_app(folder / "web", staff=Directory("scim", feed, self.log.marks), **told)
        self.folder = folder
        self.app: App = self._app.__enter__()

    def ask(self, method: str, path: str, told: object = None, **headers: str) -> Any:
        """Return the answer."""
        body = None if told is None else json.dumps(told).encode()
        return self.app.client.request(
            method, f"/scim/v2/{path}", content=body, headers={"Content-Type": "application/scim+json", **headers}
        )

    def close(self) -> None:
        """Stop."""
        self._app.__exit__(None, None, None)
        self.log.close()
        self.dead.close()

    def staff(self) -> dict[str, Any]:
        """Return each resource as it was told last."""
        told = [json.loads(record.raw) for record in records_in(self.folder)]
        return {f"{one['resourceType']}/{one['id']}": one for one in told}

    def positions(self) -> list[tuple[str, bool]]:
        """Return where people work, and whether they still do."""
        found = [one for one in self.staff().values() if one["resourceType"] == "PractitionerRole"]
        return [(one["organization"]["identifier"]["value"], one["active"]) for one in found]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def test_a_user_is_a_person_at_work(site: Site) -> None:
    """With their names for events, department and title; found again by their name, in any case; twice is refused."""
    made = site.ask("POST", "Users", USER)
    assert made.status_code == 201, made.text
    assert made.headers["content-type"] == "application/scim+json"
    id_ = made.json()["id"]
    found = site.ask("GET", 'Users?filter=userName eq "mlefebvre@chu.example"').json()
    assert (found["totalResults"], found["Resources"][0]["id"]) == (1, id_)
    assert site.ask("GET", 'Users?filter=title co "firm"').json()["totalResults"] == 1
    assert site.ask("GET", 'Users?filter=externalId eq "nobody"').json()["totalResults"] == 0
    again = site.ask("POST", "Users", USER)
    assert (again.status_code, again.json()["scimType"]) == (409, "uniqueness")
    told = [record for one in site.staff().values() for record in decode(json.dumps(one).encode())]
    (member,) = [one for one in told if isinstance(one, StaffMember)]
    (position,) = [one for one in told if isinstance(one, Position)]
    assert member.actor_id == "MLefebvre@chu.example"
    assert {"mlefebvre@chu.example", "4711", "e-17", "marie.lefebvre@chu.example"} <= set(member.aliases)
    assert (position.unit, position.role) == ("CARDIO", "infirmiere")


def test_who_is_closed_has_left_and_may_come_again(site: Site) -> None:
    """As Entra ID patches, as Okta does, and by DELETE: positions end when it is told."""
    id_ = site.ask("POST", "Users", USER).json()["id"]
    entra = patch({"op": "Replace", "path": "active", "value": "False"})
    assert site.ask("PATCH", f"Users/{id_}", entra).json()["active"] is False
    closed = next(one for one in site.staff().values() if one["resourceType"] == "PractitionerRole")
    assert closed["active"] is False
    assert closed["period"]["end"] == "2026-02-25T06:13:20Z"
    okta = patch({"op": "replace", "value": {"active": True, "name.familyName": "Roux"}})
    assert site.ask("PATCH", f"Users/{id_}", okta).json()["name"]["familyName"] == "Roux"
    assert site.positions() == [("CARDIO", True)]
    assert site.ask("DELETE", f"Users/{id_}").status_code == 204
    assert site.ask("GET", f"Users/{id_}").status_code == 404
    assert site.positions() == [("CARDIO", False)]
    assert site.staff()["Practitioner/MLefebvre@chu.example"]["active"] is False


def test_a_new_name_is_the_same_person(site: Site) -> None:
    """Events under the old name and the new one are theirs; a department left ends one position and begins another."""
    id_ = site.ask("POST", "Users", USER).json()["id"]
    moved = USER | {"userName": "mroux@chu.example", ENTERPRISE: {"department": "REA"}}
    assert site.ask("PUT", f"Users/{id_}", moved).status_code == 200
    person = site.staff()["Practitioner/MLefebvre@chu.example"]
    assert "mroux@chu.example" in str(person["identifier"])
    assert sorted(site.positions()) == [("CARDIO", False), ("REA", True)]


def test_groups_are_units(site: Site) -> None:
    """Members come and go one by one, as providers of both kinds say it; a group that is gone is nobody's unit."""
    one, two = (site.ask("POST", "Users", USER | {"userName": name, ENTERPRISE: {}}).json()["id"] for name in ("u1", "u2"))
    group = site.ask("POST", "Groups", {"schemas": [GROUP_SCHEMA], "displayName": "BLOC", "members": [{"value": one}]}).json()
    path = f"Groups/{group['id']}"
    site.ask("PATCH", path, patch({"op": "Add", "path": "members", "value": [{"value": two}]}))
    told = {position["practitioner"]["identifier"]["value"] for position in site.staff().values() if "organization" in position}
    assert told == {"u1", "u2"}
    site.ask("PATCH", path, patch({"op": "Remove", "path": "members", "value": [{"value": one}]}))
    site.ask("PATCH", path, patch({"op": "remove", "path": f'members[value eq "{two}"]'}))
    assert all(active is False for one in site.staff().values() if "organization" in one for active in [one["active"]])
    assert "members" not in site.ask("GET", f"{path}?excludedAttributes=members").json()
    assert site.ask("DELETE", path).status_code == 204
    assert site.staff()["Organization/BLOC"]["name"] == "BLOC"


def test_what_was_pushed_outlives_the_service(tmp_path: Path) -> None:
    """Users, and the positions that are to be closed one day."""
    first = Site(tmp_path)
    id_ = first.ask("POST", "Users", USER).json()["id"]
    first.close()
    then = Site(tmp_path)
    assert then.ask("GET", f"Users/{id_}").json()["userName"] == USER["userName"]
    then.ask("DELETE", f"Users/{id_}")
    assert then.positions() == [("CARDIO", False)]
    then.close()


@pytest.mark.parametrize(
    ("method", "path", "told", "status", "kind"),
    [
        ("POST", "Users", {"schemas": [USER_SCHEMA], "name": {}}, 400, "invalidValue"),
        ("POST", "Users", {"userName": ["SECRET"]}, 400, "invalidValue"),
        ("POST", "Users", ["SECRET"], 400, "invalidSyntax"),
        ("POST", "Devices", {}, 404, None),
        ("PUT", "Users/none", USER, 404, None),
        ("GET", "Users?filter=SECRET eq", None, 400, "invalidFilter"),
    ],
)
def test_refusals(site: Site, method: str, path: str, told: object, status: int, kind: str | None) -> None:
    """As RFC 7644 tells them, without what was sent."""
    answer = site.ask(method, path, told)
    assert (answer.status_code, answer.json().get("scimType")) == (status, kind)
    assert answer.json()["status"] == str(status)
    assert "SECRET" not in answer.text
    assert not site.staff()


def test_the_key_is_asked_for(tmp_path: Path) -> None:
    """The one that integrators present."""
    site = Site(tmp_path, security=Security(intake_key=SecretStr("k" * 16)))
    assert site.ask("GET", "Users").status_code == 401
    assert site.ask("GET", "Users", Authorization="Bearer " + "k" * 16).json()["totalResults"] == 0
    site.close()
