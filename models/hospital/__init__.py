"""The simulated hospital: FHIR context and FHIR AuditEvents of a French hospital, misuse labelled."""

from .audit import SimulatedEvent
from .hospital import Hospital
from .misuse import KINDS
from .settings import HospitalSettings
from .write import Summary, write

__all__ = ["KINDS", "Hospital", "HospitalSettings", "SimulatedEvent", "Summary", "write"]
