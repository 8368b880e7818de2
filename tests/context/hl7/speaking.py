"""HL7 v2 messages as hospitals send them, of invented people."""

from __future__ import annotations

from streams.context.hl7.memory import Memory
from streams.context.hl7.message import Message
from streams.context.hl7.patients import Site
from streams.context.hl7.reading import read

PID = (
    "PID|1||80012000^^^IPP&1.2.250.1.999.1&ISO^PI||Bertrand^Eva^^^^^L||19511121|F|||"
    "37 allée de la Poste^^Ville^^41240^FRA^H|||||||A7"
)


def adt(event: str, *segments: str, at: str = "20240301091200", **header: str) -> bytes:
    """Return a message; `header` tells MSH fields by number, as `f12`."""
    fields = {9: f"ADT^{event}^ADT_A01", 7: at, 10: f"{event}-{at}", 11: "P", 12: "2.5", 3: "DPI", 4: "CHU", 5: "S", 6: "CHU"}
    fields |= {int(name[1:]): value for name, value in header.items()}
    top = max(fields)
    msh = "|".join(["MSH", "^~\\&", *(fields.get(number, "") for number in range(3, top + 1))])
    return "\r".join([msh, f"EVN||{at}", *segments]).encode() + b"\r"


def siu(event: str, *segments: str, **header: str) -> bytes:
    """Return a message of an appointment."""
    return adt(event, *segments, **{"f9": f"SIU^{event}^SIU_S12", **header})


def pv1(unit: str = "", visit: str = "V1", **fields: str) -> str:
    """Return a PV1; `fields` by number, as `f7`."""
    told = {2: "I", 3: f"{unit}^101^1^CHU" if unit else "", 19: visit} | {int(name[1:]): value for name, value in fields.items()}
    return "|".join(["PV1", "1", *(told.get(number, "") for number in range(2, max(told) + 1))])


def zbe(movement: str, at: str, action: str = "INSERT", original: str = "", unit: str = "") -> str:
    """Return a ZBE of the French PAM."""
    return f"ZBE|{movement}^MVT|{at}||{action}|N|{original}|^^^^^^^^^{unit}||HMS"


class Told:
    """What messages amount to, one after the other."""

    def __init__(self, site: Site | None = None) -> None:
        self.site, self.known = site or Site(), {}

    def take(self, *raws: bytes) -> dict[tuple[str, str], bytes]:
        """Take messages in, and return the resources of the last of them."""
        told = {}
        for raw in raws:
            memory = Memory(lambda kind, id_: self.known.get((kind, id_)))
            read(Message(raw), self.site, memory)
            self.known |= memory.changed
            told = memory.told
        return told
