"""The console's pages over HTTP: languages, filters, search, periods, paging, files and failures."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from io import StringIO
from urllib.parse import unquote

import httpx
import pytest

from sentinel.web import console
from sentinel.web.views import CSV_COLUMNS, segment
from tests.web.memory_hospital import HOSTILE, HOSTILE_ALERT, SWEEP

PAGES = (
    "/",
    f"/alerts/{SWEEP}",
    "/patients/p-4",
    "/patients/p-4/report",
    "/patients/nobody",
    "/actors/inf-petit",
    "/actors/nobody",
    "/about",
    "/queue/actors/inf-petit",
    "/queue/patients/p-9?severity=medium&detector=household_record&period=7d&order=time",
    "/queue/actors/lab-garnier/patients/p-9",
)
STRANGE_IDS = (HOSTILE, ".", "..", "a/b", "~1", "~", "urn:oid:1.2|3", "é à", "100%", "a\\b", "//x", "a?b#c", "+", " x ")


@pytest.fixture
def client(hospital) -> Iterator[httpx.Client]:
    """Somebody with a browser, who has not chosen a language."""
    with httpx.Client(base_url=hospital.url, headers={"Accept": "text/html"}, follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_speaks_both_languages_and_is_kept_by_no_cache(client, path, language):
    """A page is in the language that the browser asks for, whole, and personal data stays out of caches."""
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert f'<html lang="{language}"' in answer.text
    assert answer.headers["content-language"] == language
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"\{\w*\}", re.sub(r"(?s)<pre.*?</pre>", "", answer.text)), "a text without its value"


def test_a_chosen_language_is_remembered(client):
    """`?lang=` beats the browser's wish, and the cookie that it leaves beats it too."""
    chosen = client.get("/about?lang=en", headers={"Accept-Language": "fr"})
    assert chosen.headers["content-language"] == "en"
    assert client.get("/", headers={"Accept-Language": "fr"}).headers["content-language"] == "en"


@pytest.mark.parametrize(
    ("wanted", "told"),
    [("", "fr"), ("de", "fr"), ("en-GB,fr;q=0.8", "en"), ("de, fr;q=0.2, en;q=0.9", "en"), ("en;q=0, fr;q=x", "fr")],
)
def test_the_browser_s_order_of_languages_is_followed(client, wanted, told):
    """RFC 9110 qualities decide; French when none of ours is wanted."""
    assert client.get("/about", headers={"Accept-Language": wanted}).headers["content-language"] == told


def test_the_other_language_keeps_the_page_and_its_filters(client):
    """Changing the language changes nothing else."""
    page = client.get("/queue/patients/p-9?severity=medium&period=7d")
    assert 'href="?severity=medium&amp;period=7d&amp;lang=en"' in page.text


def test_the_queue_is_most_urgent_first_and_can_be_by_time(client):
    """Both orders are as their names say."""
    by_priority, by_time = (re.findall(r'data-id="(\w)', client.get(path).text) for path in ("/", "/?order=time"))
    assert by_priority == list("abcd")
    assert by_time == list("abcd")[: len(by_time)]


def test_filters_lead_to_an_address_without_ids_in_its_query(client):
    """The form is posted; ids of people go into the path, where no access log keeps them as a query."""
    form = {"severity": "low", "detector": "", "period": "30d", "order": "priority", "actor": HOSTILE, "patient": " p-4 "}
    answer = client.post("/queue", data=form)
    assert answer.status_code == 303
    path, _, query = answer.headers["location"].partition("?")
    assert path == f"/queue/actors/{segment(HOSTILE)}/patients/p-4"
    assert query == "severity=low&period=30d"
    assert client.get(answer.headers["location"]).status_code == 200


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/?severity=high", "b"),
        ("/?detector=household_record", "c"),
        ("/?period=24h", "ab"),
        ("/queue/actors/inf-petit", "a"),
        ("/queue/patients/p-9", "ac"),
        (f"/queue/actors/{segment(HOSTILE)}", "d"),
        ("/queue/actors/inf-petit?severity=low", ""),
    ],
)
def test_each_filter_shows_what_answers_it(client, path, shown):
    """A filter narrows the queue; none left says how to widen it."""
    page = client.get(path).text
    assert re.findall(r'data-id="(\w)', page) == list(shown)
    assert ("Aucune alerte ne répond" in page) is (shown == "")


@pytest.mark.parametrize(
    "query", ["severity=huge", "period=1y", "order=random", "before=%3Cx%3E", f"before={'1' * 300}", "before=x"]
)
def test_an_address_that_is_not_ours_is_refused_with_a_page(client, query):
    """Nothing that the address says is quoted."""
    answer = client.get(f"/?{query}")
    assert answer.status_code == 400
    assert "Demande illisible" in answer.text


@pytest.mark.parametrize("query", ["since=yesterday", "until=2026-13-01", "since=0001-01-01&until=9999-12-31"])
def test_a_date_that_is_none_is_refused_with_a_page(client, query):
    """Also one at the end of the calendar, which no time zone can turn into a moment."""
    assert client.get(f"/patients/p-4?{query}").status_code == 400


def test_any_id_has_a_page(live_hospital):
    """Slashes, dots, percent signs and quotes survive the way through links and paths."""
    accesses = live_hospital.questions.accesses
    accesses += [accesses[0] | {"patient_id": id_, "actor_id": id_} for id_ in STRANGE_IDS]
    with httpx.Client(base_url=live_hospital.url, headers={"Accept-Language": "en"}) as client:
        for id_ in STRANGE_IDS:
            for path in ("/patients/{}", "/patients/{}/report", "/patients/{}/accesses.csv", "/actors/{}"):
                answer = client.get(path.format(segment(id_)))
                assert answer.status_code == 200
                assert answer_text(id_, answer) in answer.text
                assert "No access is kept" not in answer.text


def answer_text(id_: str, answer: httpx.Response) -> str:
    """Return an id as an answer of its kind writes it."""
    if "csv" in answer.headers["content-type"]:
        return "'+" if id_ == "+" else id_
    return id_.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@pytest.mark.parametrize(
    ("asked", "address"),
    [("p-4", "/patients/p-4"), (" inf-petit ", "/actors/inf-petit"), (SWEEP, f"/alerts/{SWEEP}"), ("", "/")],
)
def test_search_leads_to_what_an_id_names(client, asked, address):
    """One meaning: straight there."""
    answer = client.post("/search", data={"id": asked})
    assert (answer.status_code, answer.headers["location"]) == (303, address)


def test_search_lets_choose_between_a_patient_and_a_person_of_the_same_id(client):
    """Both are offered; an id that names nothing gets a page that says so, as text."""
    both = client.post("/search", data={"id": HOSTILE})
    assert both.status_code == 200
    assert f'href="/patients/{segment(HOSTILE)}"' in both.text
    assert f'href="/actors/{segment(HOSTILE)}"' in both.text
    none = client.post("/search", data={"id": "<b>nobody</b>"})
    assert none.status_code == 404
    assert "&lt;b&gt;nobody&lt;/b&gt;" in none.text


@pytest.mark.parametrize("body", ["id=" + "x" * 5_000, "&".join(f"f{n}=1" for n in range(50))])
def test_a_form_that_is_not_ours_is_refused(client, body):
    """Forms are small: what is larger is not read to its end."""
    answer = client.post("/search", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 400


def test_a_period_is_days_of_the_site_both_included(client):
    """17 April in Paris begins at 22:00 UTC the day before."""
    page = client.get("/patients/p-4?since=2026-04-17&until=2026-04-17").text
    days = set(re.findall(r'<td role="cell" class="cell-when"><time[^>]*>(\d\d/\d\d)', page))
    assert days == {"17/04"}
    assert "du 17 avril 2026 au 17 avril 2026" in page


@pytest.mark.parametrize("path", ["/actors/dr-leroy", "/patients/p-4"])
def test_pages_of_accesses_show_each_once(client, monkeypatch, path):
    """Following the link to older accesses shows all of them, none twice, and ends."""
    monkeypatch.setattr(console, "ACCESSES_A_PAGE", 7)
    seen: list[str] = []
    address: str | None = path
    while address is not None:
        page = client.get(address).text
        seen += re.findall(r'<td role="cell" class="cell-when"><time datetime="([^"]+)"', page)
        following = re.search(r'rel="next" href="([^"#]+)#accesses"', page)
        address = following and following[1].replace("&amp;", "&")
    whole = list(csv.reader(StringIO(client.get(f"{path}/accesses.csv").text)))[1:]
    assert len(seen) == len(whole) > 20
    assert seen == sorted(seen, reverse=True)


def test_pages_of_alerts_show_each_once(client, monkeypatch):
    """The queue's next page goes on where this one ends, filters kept."""
    monkeypatch.setattr(console, "ALERTS_A_PAGE", 1)
    seen, address = [], "/?period=30d"
    while address:
        page = client.get(address).text
        seen += re.findall(r'data-id="(\w)', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        address = following[1].replace("&amp;", "&") if following else ""
        assert not address or "period=30d" in address
    assert seen == list("abcd")


@pytest.mark.parametrize(("language", "separator"), [("fr", ";"), ("en", ",")])
def test_the_csv_holds_every_access_as_spreadsheets_of_the_country_read_it(client, language, separator):
    """With a byte order mark, the times at the site's offset, and hostile cells as text."""
    answer = client.get(f"/patients/{segment(HOSTILE)}/accesses.csv", headers={"Accept-Language": language})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    text = answer.content.decode("utf-8-sig")
    header, row = csv.reader(StringIO(text), delimiter=separator)
    assert len(header) == len(row) == len(CSV_COLUMNS)
    assert row[0] == "2026-04-15T14:32:10+02:00"
    assert HOSTILE in row


def test_the_csv_is_the_period_s(client):
    """The period of the page is the period of its file."""
    page = client.get("/actors/dr-leroy?since=2026-04-10&until=2026-04-12")
    link = re.search(r'href="([^"]+accesses\.csv[^"]+)"', page.text)
    rows = list(csv.reader(StringIO(client.get(link[1].replace("&amp;", "&")).text), delimiter=";"))[1:]
    assert rows
    assert {row[0][:10] for row in rows} <= {"2026-04-10", "2026-04-11", "2026-04-12"}


def test_the_report_is_for_the_patient(client):
    """It names who, what, when, from where and why, and keeps what detectors said out."""
    report = client.get("/patients/p-4/report", headers={"Accept-Language": "en"}).text
    assert "Statement of accesses to a health record" in report
    assert "39 accesses by 5 people or services." in report
    assert "Flagged" not in report
    assert "/actors/" not in report
    assert "Flagged" in client.get("/patients/p-4", headers={"Accept-Language": "en"}).text


def test_a_report_that_is_cut_says_so(client, monkeypatch):
    """Never a statement that looks whole and is not."""
    monkeypatch.setattr(console, "REPORT_MAX", 5)
    report = client.get("/patients/p-4/report", headers={"Accept-Language": "en"}).text
    assert "stops at the 5 latest accesses" in report
    assert report.count('class="cell-when"') == 5


def test_an_alert_tells_observed_usual_and_what_was_looked_for(client):
    """Figures, chance, and each ordinary reason in words with its days."""
    page = client.get(f"/alerts/{SWEEP}", headers={"Accept-Language": "en"}).text
    for words in (
        "212 patients without an ordinary reason in 24 h",
        "29 times this person’s usual",
        "by chance, about 1 time in 30,000",
        "a stay in one of the person&#39;s units",
        "from 3 days before to 30 days after",
        "Too many strangers",
        "40",
    ):
        assert words in page
    assert page.count('<details class="raw">') == 40


def test_what_an_alert_is_about_comes_before_what_belongs_to_the_picture(live_hospital, an_alert_now):
    """Explained accesses of the same story are folded away, and their patients come last."""
    rows = live_hospital.questions.accesses
    explained = [row for row in rows if row["explained_by"] and row["patient_id"] == "p-1"][:3]
    striking = next(row for row in rows if row["detectors"] and row["patient_id"] == "p-9")
    keys = [row["key"] for row in (*explained, striking)]
    live_hospital.put(an_alert_now("e" * 32, patients=["p-1", "p-9"], event_keys=keys))
    page = httpx.get(f"{live_hospital.url}/alerts/{'e' * 32}", headers={"Accept-Language": "en"}).text
    shown, folded = re.search(
        r'(?s)id="evidence".*?(<table.*?</table>).*?<details class="folded">.*?(<table.*?</table>)', page
    ).groups()
    assert (shown.count('class="cell-when"'), folded.count('class="cell-when"')) == (1, 3)
    assert re.findall(r'<li><a class="id" href="/patients/([^"]+)"', page) == ["p-9", "p-1"]


@pytest.mark.parametrize(("code", "mark"), [("fr", "Après coup"), ("en", "Late")])
def test_an_alert_of_a_backfill_is_marked(live_hospital, an_alert_now, code, mark):
    """In the queue, on its page and beside its patient; the others are not."""
    live_hospital.put(an_alert_now("e" * 32, late=True, patients=["p-9"]))
    for path, marks in (("/", 1), (f"/alerts/{'e' * 32}", 1), ("/patients/p-9", 1), (f"/alerts/{SWEEP}", 0)):
        page = httpx.get(live_hospital.url + path, headers={"Accept-Language": code}).text
        assert len(re.findall(rf"tag-late\"[^>]*>{mark}<", page)) == marks, path


def test_an_alert_without_its_accesses_still_has_a_page(live_hospital, an_alert_now):
    """Accesses may be past their retention; the reasons stay."""
    live_hospital.put(an_alert_now("e" * 32, event_keys=["0" * 32], reasons=[], not_explained_by=[]))
    page = httpx.get(f"{live_hospital.url}/alerts/{'e' * 32}", headers={"Accept-Language": "en"}).text
    assert "no longer kept" in page
    assert "No reason was looked for" in page


def test_hostile_ids_and_reasons_are_text(client):
    """Nothing that a source or a detector says becomes markup."""
    for path in ("/", f"/alerts/{HOSTILE_ALERT}", f"/patients/{segment(HOSTILE)}", f"/actors/{segment(HOSTILE)}"):
        page = client.get(path).text
        assert not re.search(r"<(img|svg onload|script>|i>|b>x)", page)
        assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_a_service_without_events_says_what_to_do(empty_hospital):
    """The first page of a new installation is the way to the first event."""
    page = httpx.get(f"{empty_hospital.url}/", headers={"Accept": "text/html", "Accept-Language": "en"}).text
    assert "No event received yet" in page
    assert f"curl -sS {empty_hospital.url}/v1/events" in page


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_lost_worker_is_a_page_that_says_nothing_is_lost(live_hospital, language):
    """503 with Retry-After, in the console's look and the reader's language; `/about` still works."""
    live_hospital.questions.down = True
    headers = {"Accept": "text/html", "Accept-Language": language}
    for path in ("/", f"/alerts/{SWEEP}", "/patients/p-4", "/actors/inf-petit", "/actors/inf-petit/accesses.csv"):
        answer = httpx.get(live_hospital.url + path, headers=headers)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert {"fr": "Rien n’est perdu", "en": "Nothing is lost"}[language] in answer.text
    assert httpx.get(f"{live_hospital.url}/about", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/alerts/none", "/no/such/page", "/static/none.css"])
def test_what_is_not_there_is_a_page(client, path):
    """404 in the same look."""
    answer = client.get(path, headers={"Accept-Language": "en"})
    assert answer.status_code == 404
    assert "Page not found" in answer.text


def test_a_failure_is_a_page_that_quotes_nothing(live_hospital):
    """500 in the same look; the record that broke the page stays out of it."""
    live_hospital.questions.accesses.append({"patient_id": "p-4", "actor_id": "SECRET", "occurred_at": "SECRET", "key": ""})
    answer = httpx.get(f"{live_hospital.url}/patients/p-4", headers={"Accept": "text/html", "Accept-Language": "en"})
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "SECRET" not in answer.text


def test_files_are_kept_by_browsers_under_their_version(client):
    """A page refers to each file by its content's hash: for good under it, checked under another."""
    paths = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/").text))
    assert {re.sub(r"\?.*", "", path) for path in paths} == {
        f"/static/{name}" for name in ("tokens.css", "console.css", "print.css", "console.js", "icon.svg")
    }
    for path in paths:
        assert "immutable" in client.get(path).headers["cache-control"]
        assert client.get(path.split("?")[0]).headers["cache-control"] == "no-cache"


def test_no_page_has_inline_script_or_style(client):
    """The policy forbids both; nothing relies on them."""
    for path in PAGES:
        page = client.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=\"|<script(?![^>]* src=)|javascript:", page)


def test_links_lead_somewhere(client):
    """Every address that the pages give answers; those of the API are the application's."""
    found = {
        link.replace("&amp;", "&") for path in PAGES for link in re.findall(r'(?:href|action)="(/[^"#]*)', client.get(path).text)
    }
    for link in sorted(found - {"/queue", "/search"}):
        assert client.get(link).status_code == 200, unquote(link)


@pytest.mark.parametrize(
    ("code", "hidden", "watched"),
    [("fr", "Masquée par une règle", "Liste de surveillance"), ("en", "Hidden by a rule", "Watch-list")],
)
def test_what_rules_hide_stands_behind_a_filter(live_hospital, an_alert_now, code, hidden, watched):
    """The queue has what is told, with what a watch-list raised marked; the filter has the rest; a page names the rules."""
    live_hospital.put(an_alert_now("e" * 32, suppressed=True, suppressed_by=["calm-nights"]))
    live_hospital.put(an_alert_now("f" * 32, raised_by=["complaint-14"]))

    def page(path):
        return httpx.get(live_hospital.url + path, headers={"Accept-Language": code}).text

    assert ("e" * 32 in page("/"), "e" * 32 in page("/?suppressed=yes"), "f" * 32 in page("/?suppressed=yes")) == (
        False,
        True,
        False,
    )
    assert f">{watched}<" in page("/")
    assert f">{hidden}<" in page("/?suppressed=yes")
    assert "calm-nights" in page(f"/alerts/{'e' * 32}")
    assert "complaint-14" in page(f"/alerts/{'f' * 32}")
    assert httpx.get(f"{live_hospital.url}/?suppressed=maybe").status_code == 400
