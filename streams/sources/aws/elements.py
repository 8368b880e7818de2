"""What CloudTrail records hold, as far as we read it (AWS, "CloudTrail record contents"), and the envelopes they come in."""

# ruff: noqa: N815 - the names are those of the records

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct, field


class Issuer(Struct, gc=False):
    """`sessionContext.sessionIssuer`: the role that was assumed."""

    userName: Any = None
    arn: Any = None


class SessionContext(Struct, gc=False):
    """`userIdentity.sessionContext`."""

    sessionIssuer: Issuer | None = None
    sourceIdentity: Any = None


class OnBehalfOf(Struct, gc=False):
    """`userIdentity.onBehalfOf`: the Identity Center's user."""

    userId: Any = None


class Identity(Struct, gc=False):
    """`userIdentity`."""

    type: Any = None
    userName: Any = None
    principalId: Any = None
    arn: Any = None
    accountId: Any = None
    accessKeyId: Any = None
    invokedBy: Any = None
    sessionContext: SessionContext | None = None
    onBehalfOf: OnBehalfOf | None = None
    inScopeOf: Any = None


class Parameters(Struct, gc=False):
    """The members of `requestParameters` that name what an event is about, whatever the service."""

    bucketName: Any = None
    key: Any = None
    acl: Any = field(default=None, name="x-amz-acl")
    bucketPolicy: Any = None
    policy: Any = None
    AccessControlPolicy: Any = None
    userName: Any = None
    roleName: Any = None
    groupName: Any = None
    roleArn: Any = None
    policyArn: Any = None
    keyId: Any = None
    secretId: Any = None
    functionName: Any = None
    tableName: Any = None
    dBSnapshotIdentifier: Any = None
    dBClusterSnapshotIdentifier: Any = None
    dBInstanceIdentifier: Any = None
    exportTaskIdentifier: Any = None
    sourceArn: Any = None
    snapshotId: Any = None
    imageId: Any = None
    instanceId: Any = None
    datastoreId: Any = None
    queryExecutionId: Any = None
    workGroup: Any = None
    name: Any = None
    principal: Any = None
    valuesToAdd: Any = None
    createVolumePermission: Any = None
    launchPermission: Any = None


class Touched(Struct, gc=False):
    """One of `resources`."""

    ARN: Any = None
    type: Any = None
    accountId: Any = None


class Response(Struct, gc=False):
    """The only member of `responseElements` that we read: the console tells there how a logon ended."""

    ConsoleLogin: Any = None


class Additional(Struct, gc=False):
    """`additionalEventData`, of the Identity Center's logons."""

    UserName: Any = None


class Message(Struct, gc=False):
    """A record as text: a CloudWatch Logs event, a `LookupEvents` result."""

    message: Any = None
    CloudTrailEvent: Any = None


class Record(Struct, gc=False):
    """A record, or one of the envelopes: a delivered file, EventBridge, CloudWatch Logs, `LookupEvents`, SNS."""

    eventTime: str | None = None
    eventName: str | None = None
    eventSource: str | None = None
    eventID: str | None = None
    eventType: Any = None
    userIdentity: Identity | None = None
    sourceIPAddress: Any = None
    errorCode: Any = None
    errorMessage: Any = None
    requestParameters: Parameters | str | list[Any] | None = None
    responseElements: Response | str | list[Any] | None = None
    additionalEventData: Additional | str | list[Any] | None = None
    resources: list[Touched] | None = None
    recipientAccountId: Any = None
    Records: list[Raw] | None = None
    detail: Raw = Raw()
    logEvents: list[Message] | None = None
    Events: list[Message] | None = None
    CloudTrailEvent: Any = None
    Message: Any = None
    message: Any = None
