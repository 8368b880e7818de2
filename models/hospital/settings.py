"""What a simulated hospital is made from: its size, its period and its habits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sentinel.core.errors import RefusedToStartError


@dataclass(frozen=True)
class HospitalSettings:
    """Size, period and habits; equal settings give identical bytes.

    Shares are in [0, 1] and are habits of ordinary work, none of them misuse.
    """

    seed: int = 1
    staff: int = 400  # people with an account, from 40
    days: int = 42  # local days from `start`, from 7
    start: date = date(2026, 3, 2)  # a Monday; six weeks cover the change to summer time
    timezone: str = "Europe/Paris"
    misuse_per_kind: int = 3  # incidents of each kind; 0 leaves ordinary work alone

    patients_per_staff: int = 30
    share_unlinked: float = 0.02  # of visits: a patient with no link on file (advice, a call, a favour)
    wrong_patient_share: float = 0.008  # of visits: a namesake is opened first, then the right record
    late_registration_share: float = 0.05  # of stays: registered hours after the patient came
    break_glass_share: float = 0.04  # of emergency visits: opened through the emergency override
    overtime_share: float = 0.06  # of shifts: one to three hours longer
    remote_share: float = 0.06  # of physicians' weekdays: an hour of the evening from home
    failed_login_share: float = 0.04  # of logins: preceded by one to four failures
    float_unrecorded_share: float = 0.15  # of replacement shifts: not declared to the directory
    staff_patient_share: float = 0.15  # of staff: also patients of the hospital
    household_share: float = 0.35  # of staff: members of the household are patients
    interns_scale: float = 1.0  # of the usual share of interns in a unit
    long_days: bool = False  # nurses and aides work days and nights of twelve hours instead of three turns
    celebrity_share: float = 0.004  # of patients: known to the public, their record marked
    restricted_share: float = 0.008  # of patients: access restricted or opposed

    def __post_init__(self) -> None:
        """Refuse a hospital too small to have all its kinds of work.

        Raises:
            RefusedToStartError: below 40 staff or 7 days, or a negative count.
        """
        if self.staff < 40 or self.days < 7 or self.misuse_per_kind < 0 or self.seed < 0:
            raise RefusedToStartError("a simulated hospital has at least 40 staff and 7 days, and no negative seed or count")
