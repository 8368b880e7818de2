"""Why a rule does not run: a bounded set of reasons, so that a folder of rules can be counted by them.

RuleRefusedError   one rule that cannot run here; the others do
"""

from __future__ import annotations

from enum import StrEnum

from sentinel.core.errors import SentinelError


class Reason(StrEnum):
    """Why one rule does not run."""

    UNREADABLE = "unreadable"  # no YAML, or no Sigma rule
    NO_FORMAT = "no-format"  # of logs that no format of ours reads
    FIELD_NOT_KEPT = "field-not-kept"  # on a field that events do not keep
    KEYWORDS = "keywords"  # on a text anywhere in an event
    COMPARES_FIELDS = "compares-fields"  # of one event with each other
    PLACEHOLDER = "placeholder"  # %name%: only the site knows what stands for it
    BAD_PATTERN = "bad-pattern"  # no regular expression of RE2's
    BAD_VALUE = "bad-value"  # a value that the field cannot have, or a modifier that says nothing of it
    NOT_BY_PERSON = "not-by-person"  # correlates events of several people
    NOT_COUNTABLE = "not-countable"  # a correlation known only once its time is over, or of another kind
    NO_SUCH_RULE = "no-such-rule"  # correlates a rule that is not there, or does not run
    TWICE = "twice"  # of the same name as another
    OLD_AGGREGATION = "old-aggregation"  # `| count() by …` in a condition, which Sigma replaced by correlations
    NOT_STORED = "not-stored"  # on a fact: history keeps events, not facts


class RuleRefusedError(SentinelError):
    """One rule that cannot run; `detail` quotes the rule, never a record."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail
