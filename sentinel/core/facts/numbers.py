"""The numbers under which the stages of the ordered pass find facts, metrics, traits, actions and reasons in their arrays."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.batch import ACTIONS, ACTOR_TYPES, OUTCOMES
from sentinel.core.event import Action, ActorType, Outcome
from sentinel.core.explain import ExplanationCode, RoleClass
from sentinel.core.facts.declare import INDEX, METRICS, OPENING, RATES, SESSION

IS_OPENING: Final = np.array([action in OPENING for action in ACTIONS])
IS_ACT: Final = np.array([action in (Action.CREATE, Action.UPDATE, Action.DELETE) for action in ACTIONS])
IS_EXPORT: Final = np.array([action in (Action.EXPORT, Action.PRINT, Action.SHARE) for action in ACTIONS])
LOGIN: Final = ACTIONS.index(Action.LOGIN)
LOGIN_FAILED: Final = ACTIONS.index(Action.LOGIN_FAILED)
SEARCH: Final = ACTIONS.index(Action.SEARCH)
PRINT: Final = ACTIONS.index(Action.PRINT)
DELETE: Final = ACTIONS.index(Action.DELETE)
PERMISSION: Final = ACTIONS.index(Action.PERMISSION_CHANGE)
SUCCESS: Final = OUTCOMES.index(Outcome.SUCCESS)
UNKNOWN: Final = OUTCOMES.index(Outcome.UNKNOWN)
HUMAN: Final = ACTOR_TYPES.index(ActorType.HUMAN)
PATIENT: Final = ACTOR_TYPES.index(ActorType.PATIENT)

N_METRICS: Final = len(METRICS)
M_PATIENTS, M_UNEXPLAINED, M_EXPORTED, M_DELETED, M_SEARCHES, M_SWITCHES, M_EMERGENCIES, M_OPENS, M_DISCLOSED = range(N_METRICS)
(
    R_COWORKER,
    R_TEAM,
    R_HOUSEHOLD,
    R_NAME,
    R_VIP,
    R_RESTRICTED,
    R_DECEASED,
    R_GAP,
    R_ONCE_HERE,
    R_STREET,
    R_SENSITIVE,
    R_RETURNS,
    R_OWN,
    R_HIERARCHY,
    R_MINOR,
    R_SEARCHED,
) = range(len(RATES))
(
    S_EVENTS,
    S_PATIENTS,
    S_UNEXPLAINED,
    S_SEARCHES,
    S_WRITES,
    S_EXPORTS,
    S_PRINTS,
    S_OFF_HOURS,
    S_DEVICES,
    S_APPLICATIONS,
) = range(len(SESSION))
E_NONE: Final = int(ExplanationCode.NONE)
E_PATIENT: Final = int(ExplanationCode.PATIENT_REQUEST)
E_STAY: Final = int(ExplanationCode.STAY_IN_UNIT)
E_PLANNED: Final = int(ExplanationCode.PLANNED_IN_UNIT)
E_OWN_ACT: Final = int(ExplanationCode.OWN_ACT)
E_TRANSVERSAL: Final = int(ExplanationCode.TRANSVERSAL_ROLE)
E_CODING: Final = int(ExplanationCode.CODING_BILLING)
E_INTERFACE: Final = int(ExplanationCode.INTERFACE)
C_TRANSVERSAL: Final = int(RoleClass.TRANSVERSAL)
C_CODING: Final = int(RoleClass.CODING)

_F: Final = INDEX
F_EXPLAINED, F_UNEXPLAINED_SHARE, F_OWN, F_COWORKER = _F["explained"], _F["unexplained_share"], _F["own_record"], _F["coworker"]
F_HOUSEHOLD, F_STREET, F_NAME = _F["same_household"], _F["same_street"], _F["same_name"]
F_VIP, F_RESTRICTED, F_SENSITIVE = _F["vip"], _F["restricted"], _F["sensitive"]
F_DECEASED, F_GAP, F_DEPARTED, F_LEAVING = _F["deceased_days"], _F["care_gap_days"], _F["departed_days"], _F["leaving_days"]
F_ONCE_HERE, F_ORPHAN = _F["once_here"], _F["no_position"]
F_DORMANT, F_HOUR_SHARE, F_CONFIRMED = _F["dormant_days"], _F["hour_share"], _F["confirmed_days"]
F_CROSSINGS, F_DEVICE, F_APPLICATION, F_ACTION, F_OTHER_SITE = (
    _F["site_crossings"],
    _F["device_new"],
    _F["application_new"],
    _F["action_share"],
    _F["other_site_minutes"],
)
F_FAILURES, F_SEQUENTIAL, F_RHYTHM = _F["failures_before"], _F["sequential_run"], _F["rhythm_run"]
F_DRIFT, F_RETURNS, F_BURST, F_PRIVILEGE, F_CONTACT, F_ACT, F_HOUR = (
    _F["strangers_drift"],
    _F["returns"],
    _F["burst_actors"],
    _F["privilege_hours"],
    _F["contact_days"],
    _F["act_days"],
    _F["hour"],
)
F_HIERARCHY, F_AGE, F_SEARCHED, F_TRADE = _F["hierarchy"], _F["age_years"], _F["after_search"], _F["trade"]
