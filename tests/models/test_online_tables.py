"""What the online model remembers by name: bounded rows, running means, p-values out of past scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.online.calibration import Calibration
from models.online.means import Means
from models.online.rows import UNKNOWN, Rows

NAMES = st.lists(st.sampled_from("abcdefgh"), max_size=40)


@settings(deadline=None)
@given(NAMES)
def test_rows_go_to_the_names_seen_last(names):
    """However many names come, the last three different ones have a row each, and nobody else."""
    rows = Rows(3)
    for name in names:
        rows.take([name])
    last = list(dict.fromkeys(reversed(names)))[:3]
    found = rows.find(last).tolist()
    assert len(rows) == len(last) == len(set(found))
    assert all(0 <= row < 3 for row in found)
    assert all(rows.find([name])[0] == UNKNOWN for name in set("abcdefgh") - set(last))


def test_a_row_that_changes_hands_is_told():
    """The owner of the table learns which rows to empty."""
    rows = Rows(2)
    rows.take(["a", "b"])
    rows.take(["a"])
    taken, fresh = rows.take(["c"])
    assert taken.tolist() == fresh.tolist() == [1]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1e6)), min_size=1, max_size=30), st.integers(1, 7))
def test_means_are_plain_means_within_memory(learnt, step):
    """Up to their memory, and however the stream is cut, means are those of all that was learnt."""
    means = Means(rows_max=3, features=1, memory=100)
    for start in range(0, len(learnt), step):
        some = learnt[start : start + step]
        for i in range(0, len(some), 3):
            names, values = zip(*some[i : i + 3], strict=True)
            means.learn(names, np.array(values)[:, None])
    for name in {name for name, _ in learnt}:
        values = [value for other, value in learnt if other == name]
        assert means.usual(name, hours_min=1)[0] == pytest.approx(np.mean(values))


def test_means_forget_what_is_older_than_their_memory():
    """A person who changes work has the new usual after a few times the memory."""
    means = Means(rows_max=1, features=1, memory=10)
    for value in [5.0] * 50 + [50.0] * 50:
        means.learn(["a"], np.array([[value]]))
    assert means.usual("a", hours_min=1)[0] == pytest.approx(50.0, abs=0.5)


def test_a_newcomer_is_expected_to_be_like_the_prior():
    """No hours: the prior; as many as the prior counts for: half way; and a row inherited is empty."""
    means = Means(rows_max=1, features=1, memory=100)
    prior = np.array([[10.0]])
    assert means.expected(["a"], prior, prior_hours=4)[0, 0] == 10.0
    means.learn(["a"] * 4, np.full((4, 1), 20.0))
    assert means.expected(["a"], prior, prior_hours=4)[0, 0] == 15.0
    means.learn(["b"], np.array([[30.0]]))
    assert means.usual("a", hours_min=1) is None
    assert means.usual("b", hours_min=1)[0] == 30.0
    assert means.usual("b", hours_min=2) is None


def calibrated(roles, scores, *, roles_max=4, window=50, role_full=20):
    calibration = Calibration(roles_max, window, role_full)
    for role, score in zip(roles, scores, strict=True):
        calibration.learn([role], np.array([score]))
    return calibration


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 5)), max_size=80), st.sampled_from("xyzn"), st.integers(0, 5))
def test_a_p_value_is_never_smaller_than_its_evidence_allows(learnt, role, score):
    """No p is under 1/(n+1) of n scores, a higher score is never less surprising, ties don't surprise."""
    roles, scores = [role for role, _ in learnt], [float(score) for _, score in learnt]
    calibration = calibrated(roles, scores)
    low, p_value = calibration.p_values([role, role], np.array([score - 0.5, score]))
    known = min(50, max(roles.count(role), min(20, len(learnt))))
    assert 1 / (known + 1) - 1e-12 <= p_value <= low <= 1.0


def test_a_role_with_enough_scores_is_compared_with_itself_alone():
    """Two roles of different habits: what is rare in one is ordinary in the other."""
    calibration = calibrated("xy" * 30, [0.1, 0.9] * 30)
    rare, ordinary = calibration.p_values(["x", "y"], np.array([0.9, 0.9]))
    assert rare == 1 / 31
    assert ordinary == 1.0


def test_a_new_role_is_compared_with_everyone():
    """Without scores of its own, a role is filled up with everyone's, never below 1/(full + 1)."""
    calibration = calibrated("x" * 40, [i / 40 for i in range(40)])
    ordinary, rare = calibration.p_values(["new", "new"], np.array([0.5, 2.0]))
    assert ordinary == pytest.approx((1 + 20 * 21 / 41) / 21)
    assert rare == pytest.approx((1 + 20 * 1 / 41) / 21)
    assert rare >= 1 / 21


def test_a_new_role_of_other_habits_stops_surprising_soon():
    """Hours that everyone else finds rare are ordinary in a role after a few of them."""
    calibration = calibrated("x" * 40, [0.1] * 40)
    first = calibration.p_values(["new"], np.array([0.9]))[0]
    for _ in range(3):
        calibration.learn(["new"], np.array([0.9]))
    assert calibration.p_values(["new"], np.array([0.9]))[0] > 2.5 * first


def test_old_scores_fall_out_of_the_window():
    """After a window of new scores, the old ones count no more."""
    calibration = calibrated("x" * 100, [0.9] * 50 + [0.1] * 50)
    assert calibration.p_values(["x"], np.array([0.9]))[0] == 1 / 51


def test_the_role_not_seen_for_longest_makes_room():
    """A fifth role takes the row of the first, which is new again."""
    calibration = calibrated("abcd" * 30, [0.5] * 120)
    calibration.learn(["e"], np.array([0.5]))
    state = calibration.snapshot()
    assert state["roles"] == ["b", "c", "d", "e"]
    assert state["seen"].tolist() == [30, 30, 30, 1, 121]
