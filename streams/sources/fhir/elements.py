"""The elements of an AuditEvent that are read, from STU3 to the R6 ballot, as one set of types; all others are skipped.

Releases are told apart by shape, never by what a document declares: where a name had a `Coding` in one
release and a `CodeableConcept` in another, `Concept` takes both, and no name had two meanings.
An explicit `null` is taken as absent, which is not FHIR but what serialisers write.
"""

from __future__ import annotations

from msgspec import Raw, Struct


class Coding(Struct, gc=False):
    """FHIR `Coding`."""

    system: str | None = None
    code: str | None = None
    display: str | None = None


class Concept(Struct, gc=False):
    """A `Coding` (STU3, R4) or a `CodeableConcept` (R5, R6) under the same name."""

    coding: list[Coding] | None = None
    text: str | None = None
    system: str | None = None
    code: str | None = None
    display: str | None = None


class Identifier(Struct, gc=False):
    """FHIR `Identifier`."""

    system: str | None = None
    value: str | None = None


class Reference(Struct, gc=False):
    """FHIR `Reference`: literal, logical, or a name alone."""

    reference: str | None = None
    type: str | None = None
    identifier: Identifier | None = None
    display: str | None = None


class Extension(Struct, gc=False):
    """FHIR `Extension`, with the kinds of value that are read."""

    url: str | None = None
    valueReference: Reference | None = None  # noqa: N815 (FHIR's names are kept)
    valueIdentifier: Identifier | None = None  # noqa: N815
    valueInteger: int | None = None  # noqa: N815
    valueCodeableConcept: Concept | None = None  # noqa: N815


class Period(Struct, gc=False):
    """FHIR `Period`."""

    start: str | None = None


class Network(Struct, gc=False):
    """R4 `AuditEvent.agent.network`; `type` 1 machine name, 2 IP, 3 telephone, 4 e-mail, 5 URI."""

    address: str | None = None
    type: str | None = None


class Agent(Struct, gc=False):
    """`AuditEvent.agent`: who or what took part. `userId` and `reference` are STU3's, `network[x]` R5's."""

    who: Reference | None = None
    type: Raw = Raw()  # Concept
    role: Raw = Raw()  # list[Concept]
    requestor: bool | None = None
    altId: str | None = None  # noqa: N815
    name: str | None = None
    network: Network | None = None
    networkString: str | None = None  # noqa: N815
    networkUri: str | None = None  # noqa: N815
    policy: list[str] | None = None
    media: Concept | None = None
    purposeOfUse: Raw = Raw()  # list[Concept]  # noqa: N815
    authorization: Raw = Raw()  # list[Concept]
    extension: list[Extension] | None = None
    userId: Identifier | None = None  # noqa: N815
    reference: Reference | None = None


class AgentParts(Struct, gc=False):
    """An `Agent`, undecoded: who somebody is comes again, where they are as well, a token's id in `policy` does not."""

    who: Raw = Raw()
    type: Raw = Raw()
    role: Raw = Raw()
    requestor: Raw = Raw()
    altId: Raw = Raw()  # noqa: N815
    name: Raw = Raw()
    media: Raw = Raw()
    purposeOfUse: Raw = Raw()  # noqa: N815
    authorization: Raw = Raw()
    extension: Raw = Raw()
    userId: Raw = Raw()  # noqa: N815
    reference: Raw = Raw()
    policy: Raw = Raw()
    network: Raw = Raw()
    networkString: Raw = Raw()  # noqa: N815
    networkUri: Raw = Raw()  # noqa: N815


class Quantity(Struct, gc=False):
    """FHIR `Quantity`."""

    value: float | None = None


class Detail(Struct, gc=False):
    """`AuditEvent.entity.detail`: a property of the entity; `type` was a string before R5, `value` is STU3's."""

    type: str | Concept | None = None
    valueString: str | None = None  # noqa: N815
    valueInteger: int | None = None  # noqa: N815
    valueQuantity: Quantity | None = None  # noqa: N815
    valueBase64Binary: str | None = None  # noqa: N815
    value: str | None = None


class Entity(Struct, gc=False):
    """`AuditEvent.entity`: what was touched. `identifier` and `reference` are STU3's."""

    what: Reference | None = None
    type: Raw = Raw()  # Concept
    role: Raw = Raw()  # Concept
    lifecycle: Raw = Raw()  # Concept
    securityLabel: Raw = Raw()  # list[Concept]  # noqa: N815
    name: str | None = None
    description: str | None = None
    query: str | None = None
    detail: list[Detail] | None = None
    extension: list[Extension] | None = None
    identifier: Identifier | None = None
    reference: Reference | None = None


class Origin(Struct, gc=False):
    """`AuditEvent.source`: who recorded it. `identifier` is STU3's; `site` became a Reference in R5."""

    observer: Reference | None = None
    site: str | Reference | None = None
    identifier: Identifier | None = None


class Result(Struct, gc=False):
    """R5 `AuditEvent.outcome`."""

    code: Concept | None = None
    detail: list[Concept] | None = None


class AuditEvent(Struct, gc=False, tag_field="resourceType", tag="AuditEvent"):
    """`AuditEvent`: R4 `type` and `subtype` are `category` and `code` in R5, and back again in R6.

    What is `Raw` here has few values that come again and again: they are digested once and kept.
    """

    id: str | None = None
    type: Raw = Raw()  # Concept
    subtype: Raw = Raw()  # list[Concept]
    category: Raw = Raw()  # list[Concept]
    code: Raw = Raw()  # Concept
    action: str | None = None
    occurredDateTime: str | None = None  # noqa: N815
    occurredPeriod: Period | None = None  # noqa: N815
    period: Period | None = None
    recorded: str | None = None
    outcome: str | Result | None = None
    outcomeDesc: str | None = None  # noqa: N815
    purposeOfEvent: Raw = Raw()  # list[Concept]  # noqa: N815
    authorization: Raw = Raw()  # list[Concept]
    patient: Reference | None = None
    agent: Raw = Raw()  # list[Agent]
    source: Raw = Raw()  # Origin
    entity: list[Entity] | None = None
    contained: list[Raw] | None = None
    extension: list[Extension] | None = None


class Search(Struct, gc=False):
    """`Bundle.entry.search`."""

    mode: str | None = None


class Entry(Struct, gc=False):
    """`Bundle.entry`."""

    resource: Raw = Raw()
    search: Search | None = None


class Bundle(Struct, gc=False, tag_field="resourceType", tag="Bundle"):
    """`Bundle`, of any type: what its entries hold counts, not why they were put together."""

    entry: list[Entry] | None = None


class Resource(Struct, gc=False):
    """Any resource, of which nothing but the kind is read."""

    resourceType: str | None = None  # noqa: N815


class Contained(Struct, gc=False):
    """A contained resource that a `#` reference may point to."""

    resourceType: str | None = None  # noqa: N815
    id: str | None = None
    identifier: list[Identifier] | Identifier | None = None
    code: list[Concept] | Concept | None = None
    practitioner: Reference | None = None
    organization: Reference | None = None
