"""What people do once a record is open: for each kind of work, weighted runs of `application.operation.Resource`."""

from __future__ import annotations

from typing import NamedTuple

from .draw import Weighted


class Step(NamedTuple):
    """One event of a visit."""

    app: str
    op: str
    kind: str  # FHIR resource type


Script = tuple[Step, ...]


def _table(text: str) -> Weighted[Script]:
    rows = [line.split() for line in text.strip().splitlines()]
    return Weighted((tuple(Step(*step.split(".")) for step in steps), float(weight)) for weight, *steps in rows)


DOCTOR = _table("""
5   ehr.read.Patient ehr.read.Observation ehr.read.DocumentReference
3   ehr.read.Patient lis.read.DiagnosticReport
2   ehr.read.Patient pacs.read.ImagingStudy pacs.read.DiagnosticReport
3   ehr.read.Patient ehr.read.DocumentReference ehr.create.DocumentReference
3   ehr.read.Patient rx.read.MedicationRequest rx.create.MedicationRequest
2   ehr.read.Patient ehr.read.Condition ehr.read.DocumentReference ehr.read.AllergyIntolerance
1   ehr.read.Patient ehr.read.Condition ehr.update.Condition
1   ehr.read.Patient ehr.create.RequestGroup
2   ehr.read.Patient
1   lis.read.DiagnosticReport lis.read.DiagnosticReport
1   rx.read.MedicationRequest rx.update.MedicationRequest
0.5 ehr.read.Patient ehr.read.DocumentReference ehr.print.DocumentReference
0.1 ehr.read.Patient ehr.read.DocumentReference ehr.export.DocumentReference
0.1 ehr.read.DocumentReference ehr.delete.DocumentReference ehr.create.DocumentReference
""")

NURSE = _table("""
5   ehr.read.Patient ehr.read.CarePlan ehr.create.Observation
4   rx.read.MedicationRequest rx.create.MedicationAdministration
3   ehr.read.Patient ehr.read.DocumentReference
2   ehr.read.Patient ehr.read.Observation lis.read.DiagnosticReport
2   ehr.read.CarePlan ehr.update.CarePlan
1   ehr.read.Patient ehr.read.AllergyIntolerance ehr.read.Condition
1   ehr.create.Observation ehr.create.Observation
2   ehr.read.Patient
0.3 ehr.read.Patient ehr.read.DocumentReference ehr.print.DocumentReference
0.05 ehr.read.Observation ehr.delete.Observation ehr.create.Observation
""")

AIDE = _table("""
4   ehr.read.Patient ehr.read.CarePlan
3   ehr.create.Observation
2   ehr.read.CarePlan ehr.update.CarePlan
1   ehr.read.Patient
""")

LABORATORY = _table("""
5   lis.read.Specimen lis.create.DiagnosticReport
3   lis.read.Specimen lis.create.Observation lis.update.DiagnosticReport
2   lis.read.DiagnosticReport lis.read.DiagnosticReport
1   lis.read.Patient lis.read.Specimen
0.1 lis.read.DiagnosticReport lis.print.DiagnosticReport
0.05 lis.read.Observation lis.delete.Observation lis.create.Observation
""")

IMAGING = _table("""
5   pacs.read.Task pacs.create.ImagingStudy
4   pacs.read.ImagingStudy pacs.read.ImagingStudy pacs.create.DiagnosticReport
2   pacs.read.ImagingStudy ehr.read.DocumentReference
1   pacs.read.Patient pacs.read.Task
0.3 pacs.read.ImagingStudy pacs.export.ImagingStudy
0.3 pacs.read.DiagnosticReport pacs.print.DiagnosticReport
0.05 pacs.read.ImagingStudy pacs.delete.ImagingStudy
""")

PHARMACY = _table("""
6   rx.read.MedicationRequest rx.update.MedicationRequest
3   rx.read.MedicationRequest lis.read.DiagnosticReport
2   rx.read.MedicationRequest ehr.read.Patient ehr.read.Condition
1   rx.create.MedicationDispense
0.1 rx.read.MedicationRequest rx.print.MedicationRequest
""")

SECRETARY = _table("""
5   ehr.read.Patient ehr.read.DocumentReference ehr.update.DocumentReference
3   adm.read.Patient adm.update.Slot
2   adm.read.Patient adm.create.Slot
2   ehr.read.DocumentReference ehr.export.DocumentReference
2   ehr.read.DocumentReference ehr.print.DocumentReference
1   ehr.read.Patient ehr.read.DiagnosticReport
0.1 ehr.read.DocumentReference ehr.delete.DocumentReference ehr.create.DocumentReference
""")

CLERK = _table("""
5   adm.read.Patient adm.create.Account
4   adm.read.Patient adm.update.Patient
3   adm.read.Patient adm.read.Coverage adm.update.Coverage
1   adm.read.Patient adm.print.Account
1   adm.read.Patient
0.1 adm.read.Patient adm.delete.Account
""")

CODER = _table("""
5   ehr.read.EpisodeOfCare ehr.read.DocumentReference ehr.read.Procedure adm.update.Claim
3   ehr.read.EpisodeOfCare ehr.read.DocumentReference ehr.read.DocumentReference adm.update.Claim
2   ehr.read.DocumentReference ehr.read.DiagnosticReport
1   ehr.read.EpisodeOfCare ehr.read.Condition
""")

SUPPORT = _table("""
3   adm.read.Patient
2   ehr.read.DocumentReference
1   ehr.read.Patient ehr.read.DocumentReference
""")

SCRIPTS = {
    "physician": DOCTOR,
    "consultant": DOCTOR,
    "urgentist": DOCTOR,
    "intern": DOCTOR,
    "anaesthetist": DOCTOR,
    "dim_physician": CODER,
    "biologist": LABORATORY,
    "radiologist": IMAGING,
    "radiographer": IMAGING,
    "nurse": NURSE,
    "er_nurse": NURSE,
    "float": NURSE,
    "midwife": NURSE,
    "aide": AIDE,
    "lab_tech": LABORATORY,
    "pharmacist": PHARMACY,
    "preparer": PHARMACY,
    "secretary": SECRETARY,
    "clerk": CLERK,
    "coder": CODER,
    "it": SUPPORT,
    "contractor": SUPPORT,
}


def script_length(table: Weighted[Script]) -> float:
    """Return the mean number of events of a visit."""
    weights = [after - before for before, after in zip([0.0, *table.sums], table.sums, strict=False)]
    return float(sum(w * len(script) for w, script in zip(weights, table.items, strict=True)) / table.sums[-1])
