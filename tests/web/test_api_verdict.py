"""Verdicts over HTTP: durable before they are told, with the alert as it stood; nothing is quoted back."""

from __future__ import annotations

import json

import pytest
from pydantic import SecretStr

from sentinel.core.context import Judgement, Verdict
from sentinel.core.errors import RejectedError, RejectionCode
from sentinel.web.ports import Security
from streams.record import Kind
from streams.verdicts import decode
from tests.web.api_parts import NOW_US, an_app

ID = "0123456789abcdef0123456789abcdef"
ALERT = {"id": ID, "actor": "dr who", "detectors": ["vip_record", "off_hours"], "patients": ["p1"]}
PATH = f"/v1/alerts/{ID}/verdict"


@pytest.fixture
def app(tmp_path):
    with an_app(tmp_path) as made:
        made.questions.told["alert"] = ALERT
        yield made


@pytest.mark.parametrize("judgement", Judgement)
def test_a_verdict_is_in_the_log_before_it_is_told(app, judgement):
    """202, and a record that the pipeline can learn from without asking anybody."""
    answer = app.post(json.dumps({"verdict": judgement, "reason": "advice by phone", "by": "dpo"}).encode(), path=PATH)
    assert (answer.status_code, answer.json()["verdict"], answer.json()["alert"]) == (202, judgement, ID)
    [kept] = app.kept()
    assert (kept.kind, kept.source, kept.received_us) == (Kind.CONTEXT, "verdict", NOW_US)
    assert decode(kept.raw) == [Verdict(ID, "dr who", ("vip_record", "off_hours"), ("p1",), judgement, NOW_US)]
    assert json.loads(kept.raw)["reason"] == "advice by phone"


def test_a_later_verdict_takes_the_place_of_the_one_before(app):
    """One subject an alert: of it the log never forgets the newest."""
    for judgement in ("misuse", "unclear"):
        app.post(json.dumps({"verdict": judgement}).encode(), path=PATH)
    assert len({one.subject for one in app.kept()}) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"SECRET", b"{}", b'{"verdict": "SECRET"}', b'{"verdict": "misuse", "SECRET": 1}', b'{"verdict": "misuse", "by": 7}'],
)
def test_what_is_no_verdict_is_refused_and_not_quoted(app, body):
    """400, and nothing is kept."""
    answer = app.post(body, path=PATH)
    assert answer.status_code == 400
    assert "SECRET" not in answer.text
    assert app.kept() == []


def test_there_is_no_verdict_on_what_is_no_alert(app):
    """404, and nothing is kept."""
    app.questions.told["alert"] = None
    assert app.post(b'{"verdict": "misuse"}', path=PATH).status_code == 404
    assert app.kept() == []


def test_the_intake_key_gives_no_verdicts(tmp_path):
    """Whoever sends events cannot lower what is found in them: it takes the console's token, and /fhir takes no verdict."""
    security = Security(SecretStr("k" * 20), SecretStr("t" * 20))
    with an_app(tmp_path, security=security) as app:
        app.questions.told["alert"] = ALERT
        body = b'{"verdict": "justified"}'
        assert app.post(body, path=PATH, Authorization=f"Bearer {'k' * 20}").status_code == 401
        sent = json.dumps({"resourceType": "Verdict", "id": "a"}).encode()
        assert app.post(sent, path="/fhir/Verdict", Authorization=f"Bearer {'k' * 20}").status_code == 404
        assert app.kept() == []
        assert app.post(body, path=PATH, Authorization=f"Bearer {'t' * 20}").status_code == 202


@pytest.mark.parametrize("raw", [b"SECRET", b"\xff", b'{"alert": "SECRET!"}', b"[]"])
def test_a_damaged_record_is_rejected_by_code(raw):
    """Neither the code nor the detail quotes it."""
    with pytest.raises(RejectedError) as caught:
        decode(raw)
    assert caught.value.code in (RejectionCode.UNPARSEABLE, RejectionCode.BAD_VALUE)
    assert "SECRET" not in caught.value.detail
