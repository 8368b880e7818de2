"""Whatever stands in a line of CEF is read back as it was before it was escaped."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.sources.cef import SOURCE

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=20).map(
    lambda text: f"x{text}x"
)


def escaped(text: str, signs: str) -> str:
    """Return a text with a backslash before these signs."""
    for sign in "\\" + signs:
        text = text.replace(sign, f"\\{sign}")
    return text


@given(product=TEXTS, name=TEXTS, file=TEXTS, user=TEXTS)
def test_escapes_are_undone(product: str, name: str, file: str, user: str) -> None:
    """Bars and backslashes in the header, equals signs and backslashes behind it."""
    header = f"CEF:0|vendor|{escaped(product, '|')}|1|7|{escaped(name, '|')}|3|"
    extension = f"rt=1741079730000 suser={escaped(user, '=')} fname={escaped(file, '=')} msg=a b"
    (row,) = SOURCE.decode([(header + extension).encode()]).rows
    assert row.application == product
    assert row.actor_id == user.lower()
    assert row.resource_id in (file, name)
