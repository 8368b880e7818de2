"""The schemas of SCIM (RFC 7643), its PATCH and its filters: what is told in their words, and nothing kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from scim2_models import EnterpriseUser, Group, PatchOp, SCIMException, ScimFilter, ScimPolicy, User

from sentinel.web.problem import ProblemError

Document = dict[str, Any]
Result = TypeVar("Result")

_MODELS: Final[dict[str, Any]] = {"Users": User[EnterpriseUser], "Groups": Group}
_PATCHES: Final[dict[str, Any]] = {"Users": PatchOp[User[EnterpriseUser]], "Groups": PatchOp[Group]}
_FILTERS: Final[dict[str, Any]] = {"Users": ScimFilter[User[EnterpriseUser]], "Groups": ScimFilter[Group]}
_TOLERANT: Final = ScimPolicy(  # as Entra ID and Okta send it
    unknown=ScimPolicy.Unknown.keep,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)


def checked(path: str, told: Document) -> Document:
    """Return a user or group as the schema has it.

    Raises:
        ProblemError: it is none; the problem names the places, never what stands there.
    """
    return _refusing(lambda: _dumped(_MODELS[path].model_validate(told)))


def patched(path: str, one: Document, told: Document) -> Document:
    """Return a resource as operations leave it.

    Raises:
        ProblemError: an operation cannot be done.
    """

    def change() -> Document:
        resource = _MODELS[path].model_validate(one)
        _PATCHES[path].model_validate(told).patch(resource)
        return _dumped(resource)

    return _refusing(change)


def matching(path: str, found: Sequence[Document], told: str) -> list[Document]:
    """Return those that a filter matches.

    Raises:
        ProblemError: it is no filter.
    """

    def match() -> list[Document]:
        wanted = _FILTERS[path](told)
        return [one for one in found if wanted.match(_MODELS[path].model_validate(one))]

    return _refusing(match)


def _dumped(resource: Any) -> Document:
    found: Document = resource.model_dump()
    return found


def _refusing(work: Callable[[], Result]) -> Result:
    try:
        with _TOLERANT:
            return work()
    except ValidationError as error:
        places = sorted({".".join(str(part) for part in one["loc"]) for one in error.errors(include_input=False)})
        raise ProblemError(400, "invalidValue", f"see {', '.join(places)[:200]}") from None
    except SCIMException as error:
        raise ProblemError(error.status, error.scim_type or "invalidValue") from None
