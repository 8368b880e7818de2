"""AWS CloudTrail: management and data events, as delivered in files, by EventBridge, CloudWatch Logs or `LookupEvents`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import TEXT_MAX
from streams.sources.aws.elements import Additional, Identity, Parameters, Record, Response
from streams.sources.aws.names import action_of
from streams.sources.shared.documents import Envelope, carried, json_source
from streams.sources.shared.meanings import CREATE, EXPORT, LINK, LOGIN, LOGIN_FAILED, NAMES_MAX, OTHER, RIGHTS, SHARE
from streams.sources.shared.values import (
    FAILURE,
    HUMAN,
    SERIOUS,
    SERVICE,
    SUCCESS,
    address,
    derived_id,
    instant,
    row,
    told,
)

if TYPE_CHECKING:
    from sentinel.core.event import EventRow

OBJECT: Final = "AWS::S3::Object"
BUCKET: Final = "AWS::S3::Bucket"

_decode_record: Final = msgspec.json.Decoder(Record).decode
_CUT: Final = TEXT_MAX + 1  # an id that is longer is refused: nothing long is remembered
_NOTHING: Final = Raw()
_NOBODY: Final = Identity()
_NO_PARAMETERS: Final = Parameters()
# The session's name when nobody gave one: SDKs, instances, tasks. It changes with each session and names no one.
_nameless: Final = re.compile(
    r"i-[0-9a-f]{8,17}|aws-(?:go|java|sdk)-.*|aws-sdk-.*|botocore-session-\d+|AWSCLI-Session.*|[0-9a-f]{32}|[0-9a-f-]{36}|\d+",
    re.IGNORECASE,
).fullmatch
_SERVICE_ROLE: Final = "AWSServiceRole"
_SYSTEM_FAULTS: Final = ("Throttl", "Internal", "ServiceUnavailable", "RequestLimitExceeded", "SlowDown", "ServerException")
_EVERYBODY: Final = ("AllUsers", "AuthenticatedUsers", "public-read")
_S3: Final = "s3.amazonaws.com"
_NAMED_BY: Final = (
    *(
        ("userName", "AWS::IAM::User"),
        ("roleName", "AWS::IAM::Role"),
        ("roleArn", "AWS::IAM::Role"),
        ("groupName", "AWS::IAM::Group"),
    ),
    *(("policyArn", "AWS::IAM::Policy"), ("keyId", "AWS::KMS::Key"), ("secretId", "AWS::SecretsManager::Secret")),
    *(("functionName", "AWS::Lambda::Function"), ("tableName", "AWS::DynamoDB::Table")),
    *(("dBSnapshotIdentifier", "AWS::RDS::DBSnapshot"), ("dBClusterSnapshotIdentifier", "AWS::RDS::DBClusterSnapshot")),
    *(("exportTaskIdentifier", "export-task"), ("sourceArn", ""), ("dBInstanceIdentifier", "AWS::RDS::DBInstance")),
    *(("snapshotId", "AWS::EC2::Snapshot"), ("imageId", "AWS::EC2::Image"), ("instanceId", "AWS::EC2::Instance")),
    *(("datastoreId", "AWS::HealthLake::FHIRDatastore"), ("queryExecutionId", "query"), ("workGroup", "AWS::Athena::WorkGroup")),
    ("name", ""),
)


def _read(document: bytes) -> list[EventRow] | Envelope:
    record = _decode_record(document)
    if record.eventName is not None and record.eventTime is not None:
        return [_row(record, document)]
    if (envelope := _carried(record)) is not None:
        return envelope
    if record.eventName is not None and record.eventSource is not None:
        raise RejectedError(Code.MISSING_FIELD, "/eventTime", "no time at all")
    raise RejectedError(Code.NOT_AN_EVENT, detail="not a CloudTrail record")


def _carried(record: Record) -> Envelope | None:
    """Return what an envelope carries; None for what is none."""
    if record.Records is not None:
        return carried("/Records", record.Records)
    if record.detail != _NOTHING:
        return Envelope([("/detail", bytes(record.detail))])
    for name, messages in (("logEvents", record.logEvents), ("Events", record.Events)):
        if messages is not None:
            texts = (one.CloudTrailEvent or one.message for one in messages)
            return carried(f"/{name}", [_bytes(text) for text in texts])
    for name in ("CloudTrailEvent", "Message", "message"):
        if told(text := getattr(record, name)).startswith("{"):
            return Envelope([(f"/{name}", _bytes(text))])
    return None


def _bytes(text: object) -> bytes:
    return text.encode() if isinstance(text, str) else b""


def _row(record: Record, document: bytes) -> EventRow:
    who = record.userIdentity or _NOBODY
    parameters = record.requestParameters if isinstance(record.requestParameters, Parameters) else _NO_PARAMETERS
    outcome, reason = _outcome(record)
    action, destination = _action(record, parameters, outcome)
    actor, actor_type, role = _actor(record, who)
    resource_type, resource_id = _resource(record, parameters, action)
    return row(
        record.eventID or derived_id(document),
        instant(record.eventTime or "", "/eventTime"),
        action,
        actor,
        outcome,
        actor_at="/userIdentity",
        actor_type=actor_type,
        role=role,
        resource_type=resource_type,
        resource_id=resource_id,
        count=_count(record),
        reason=reason,
        client=address(told(record.sourceIPAddress)),
        application=record.eventSource or "",
        session=told(who.accessKeyId),
        destination=destination,
    )


def _outcome(record: Record) -> tuple[str, str]:
    """Return how it ended and why: an error of the caller (no right, no such thing) or of the service."""
    code, message = told(record.errorCode), told(record.errorMessage)
    response = record.responseElements
    if not code and not message:
        failed = isinstance(response, Response) and told(response.ConsoleLogin) == "Failure"
        return (FAILURE, "") if failed else (SUCCESS, "")
    fault = code.startswith(_SYSTEM_FAULTS)
    return SERIOUS if fault else FAILURE, f"{code}: {message}" if code and message else code or message


def _action(record: Record, parameters: Parameters, outcome: str) -> tuple[str, str]:
    """Return what was done, and where data went: what is opened to everybody is shared by link."""
    name = record.eventName or ""
    action = action_of(name[:TEXT_MAX])
    if action == LOGIN and outcome != SUCCESS:
        return LOGIN_FAILED, ""
    if name == "CopyObject":
        return EXPORT if _other_account(record) else CREATE, ""
    if action in _OPENING and _is_public(parameters):
        return SHARE, LINK
    if action == SHARE and name.startswith("Modify") and not _adds(parameters):
        return RIGHTS, ""
    return action, ""


def _adds(parameters: Parameters) -> bool:
    """Return whether a snapshot's or image's attribute lets in somebody more."""
    permissions = (parameters.createVolumePermission, parameters.launchPermission)
    return bool(parameters.valuesToAdd) or any(isinstance(one, dict) and one.get("add") for one in permissions)


_OPENING: Final = frozenset({RIGHTS, SHARE, CREATE})  # an object can be public from its creation


def _other_account(record: Record) -> bool:
    """Return whether an event touches what belongs to another account than the one it is recorded in."""
    own = told(record.recipientAccountId)
    owners = {told(one.accountId) for one in record.resources or ()} - {""}
    return bool(own and owners - {own})


def _is_public(parameters: Parameters) -> bool:
    """Return whether a policy, an access list or a snapshot's attribute lets everybody in."""
    opened = (parameters.acl, parameters.AccessControlPolicy, parameters.bucketPolicy, parameters.policy)
    if parameters.principal == "*" or any(one is not None and _names_everybody(one, 0) for one in opened):
        return True
    shared = (parameters.valuesToAdd, parameters.createVolumePermission, parameters.launchPermission)
    return any(one is not None and b'"all"' in msgspec.json.encode(one) for one in shared)


POLICY_DEPTH_MAX: Final = 12


def _names_everybody(value: Any, depth: int) -> bool:
    """Return whether an access list names a group of everybody, or a policy allows `*`."""
    if depth > POLICY_DEPTH_MAX:
        return False
    if isinstance(value, str):
        if value.lstrip().startswith("{"):
            return _names_everybody(_parsed(value), depth + 1)
        return any(one in value for one in _EVERYBODY)
    if isinstance(value, dict):
        if value.get("Effect") == "Allow" and _is_anyone(value.get("Principal")) and not value.get("Condition"):
            return True
        value = [one for key, one in value.items() if key not in ("Principal", "NotPrincipal")]
    return isinstance(value, list) and any(_names_everybody(one, depth + 1) for one in value)


def _is_anyone(principal: object) -> bool:
    if isinstance(principal, dict):
        principal = principal.get("AWS")
    return principal == "*" or (isinstance(principal, list) and "*" in principal)


def _parsed(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _actor(record: Record, who: Identity) -> tuple[str, str, str]:
    """Return who acted, whether it is a person, and the role taken."""
    context = who.sessionContext
    issuer = context.sessionIssuer if context is not None else None
    if who.type == "IdentityCenterUser" or (not told(who.userName) and isinstance(record.additionalEventData, Additional)):
        named = told(record.additionalEventData.UserName) if isinstance(record.additionalEventData, Additional) else ""
        if named or who.onBehalfOf is not None:
            return (named or told(who.onBehalfOf and who.onBehalfOf.userId)).lower(), HUMAN, ""
    return _identity(
        told(who.type)[:_CUT],
        told(who.userName)[:_CUT],
        told(who.arn)[-_CUT:],
        told(who.principalId)[-_CUT:],
        told(who.accountId)[:_CUT],
        (told(who.invokedBy) or (record.eventSource or "" if not told(who.type) else ""))[:_CUT],
        told(issuer.userName)[:_CUT] if issuer is not None else "",
        told(context.sourceIdentity)[:_CUT] if context is not None else "",
        who.inScopeOf is not None,
    )


@lru_cache(maxsize=NAMES_MAX)
def _identity(
    type_: str, name: str, arn: str, principal: str, account: str, service: str, role: str, source: str, in_scope: bool
) -> tuple[str, str, str]:
    """Return the actor's id and type, and the role. IAM compares names without case, and so do most identity providers."""
    if type_ == "AssumedRole":
        return _of_role(source or arn.rpartition("/")[2] or principal.rpartition(":")[2], role, in_scope)
    if type_ == "Root":
        return f"root@{account}", HUMAN, ""
    if type_ in ("", "AWSService"):
        return (name.lower(), HUMAN, "") if name else (service.lower(), SERVICE, "")
    if type_ == "AWSAccount":
        other = principal.rpartition(":")[2] or account
        return other.lower(), HUMAN, ""
    return (name or arn.rpartition("/")[2] or principal.rpartition(":")[2] or account).lower(), HUMAN, ""


def _of_role(session: str, role: str, in_scope: bool) -> tuple[str, str, str]:
    """Return who took a role: the session is named after a person, or not named by anybody, and then the role acts."""
    if not session or _nameless(session) or role.startswith(_SERVICE_ROLE):
        return (role or session).lower(), SERVICE, role
    return session.lower(), SERVICE if in_scope else HUMAN, role


def _resource(record: Record, parameters: Parameters, action: str) -> tuple[str, str]:
    """Return what it was about; of a name that we don't know, the name itself."""
    if action == OTHER:
        return f"{(record.eventSource or '').partition('.')[0]}:{record.eventName}", _named(record, parameters)[1]
    if record.eventSource == _S3 and (bucket := told(parameters.bucketName)):
        key = told(parameters.key)
        return (OBJECT, f"{bucket}/{key}") if key else (BUCKET, bucket)
    return _named(record, parameters)


def _named(record: Record, parameters: Parameters) -> tuple[str, str]:
    for name, type_ in _NAMED_BY:
        if found := told(getattr(parameters, name)):
            return type_ or (record.eventSource or "").partition(".")[0], found
    for one in record.resources or ():
        if arn := told(one.ARN):
            return told(one.type), arn
    return (record.eventSource or "").partition(".")[0], ""


def _count(record: Record) -> int:
    """Return how many objects one call deleted."""
    if record.eventName != "DeleteObjects":
        return 1
    return max(1, sum(told(one.type) == OBJECT for one in record.resources or ()))


def _parts(document: bytes) -> Envelope | None:
    record = _decode_record(document)
    return None if record.eventName is not None else _carried(record)


SOURCE: Final = json_source(
    name="aws_cloudtrail",
    title="AWS CloudTrail: delivered files, EventBridge, CloudWatch Logs",
    read=_read,
    parts=_parts,
)
