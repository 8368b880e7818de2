"""The forest is river's: same trees, same masses, same scores; only walked many people at a time."""

import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from river.anomaly import HalfSpaceTrees

from models.online.forest import Forest
from tests.real import REAL, needs_real


def levels(people, features=4, seed=0):
    return np.random.default_rng(seed).beta(0.6, 3.0, (people, features))


def river_scores(trees, vectors):
    return [trees.score_one(dict(enumerate(row))) for row in vectors.tolist()]


def river_learns(trees, vectors):
    for row in vectors.tolist():
        trees.learn_one(dict(enumerate(row)))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    trees=st.integers(1, 6),
    height=st.integers(1, 7),
    window=st.integers(1, 60),
    cuts=st.lists(st.integers(0, 30), min_size=3, max_size=8),
)
def test_scores_are_rivers_to_the_last_bit(seed, trees, height, window, cuts):
    """Whatever the trees, the window and the cuts into hours, each score is the one river gives."""
    river = HalfSpaceTrees(n_trees=trees, height=height, window_size=window, seed=seed)
    forest = Forest(4, seed=seed, trees=trees, height=height, window=window)
    learnt = 0
    for hour, people in enumerate(cuts):
        vectors = levels(people, seed=hour)
        paths = forest.paths(vectors)
        scores = forest.scores(paths)
        assert (scores is None) == (learnt < window)
        if scores is not None:
            assert scores.tolist() == river_scores(river, vectors)
        forest.learn(paths)
        river_learns(river, vectors)
        learnt += people


def test_values_on_a_threshold_go_where_river_sends_them():
    """A value equal to a threshold is on its upper side."""
    river = HalfSpaceTrees(n_trees=3, height=3, window_size=7, seed=1)
    forest = Forest(4, seed=1, trees=3, height=3, window=7)
    forest.paths(levels(1))
    on_thresholds = np.repeat(forest.snapshot()["threshold"][:14, None], 4, axis=1)
    forest.learn(forest.paths(on_thresholds))
    river_learns(river, on_thresholds)
    assert forest.scores(forest.paths(on_thresholds)).tolist() == river_scores(river, on_thresholds)


def test_it_is_silent_until_its_first_window_is_closed():
    """Where river says 0 while it warms up, here it is None, so that no one takes it for ordinary."""
    forest = Forest(4, seed=1, trees=3, height=3, window=10)
    paths = forest.paths(levels(10))
    forest.learn(paths[:, :9])
    assert forest.scores(paths) is None
    forest.learn(paths[:, 9:])
    assert forest.scores(paths) is not None


def test_a_restored_forest_needs_no_river_and_goes_on_alike():
    """The trees are in the snapshot: another seed, or another river, does not change them."""
    first = Forest(4, seed=1, trees=3, height=4, window=20)
    first.learn(first.paths(levels(33)))
    second = Forest(4, seed=2, trees=3, height=4, window=20)
    second.restore(first.snapshot())
    for forest in (first, second):
        forest.learn(forest.paths(levels(12, seed=9)))
    probe = levels(15, seed=5)
    assert first.scores(first.paths(probe)).tolist() == second.scores(second.paths(probe)).tolist()


def test_it_costs_less_than_river():
    """Half the time of river's own class at least, for an hour of 50 people; the figures are printed under -s."""
    vectors = levels(1_500, features=10)
    river = HalfSpaceTrees(n_trees=25, height=8, window_size=500, seed=1)
    forest = Forest(10, seed=1, trees=25, height=8, window=500)
    river_learns(river, vectors[:500])
    forest.learn(forest.paths(vectors[:500]))
    seconds = {"river": 0.0, "forest": 0.0}
    for start in range(500, 1_500, 50):
        hour = vectors[start : start + 50]
        begun = time.process_time()
        river_scores(river, hour)
        river_learns(river, hour)
        seconds["river"] += time.process_time() - begun
        begun = time.process_time()
        paths = forest.paths(hour)
        forest.scores(paths)
        forest.learn(paths)
        seconds["forest"] += time.process_time() - begun
    print({name: f"{1_000 * spent:.1f} µs a person and hour" for name, spent in seconds.items()})
    assert seconds["forest"] < seconds["river"] / 2


def area_under_curve(scores, labels):
    """Return the probability that an anomaly scores above an ordinary row, ties counting half."""
    order = np.sort(scores[labels == 0])
    found = scores[labels == 1]
    ranks = np.searchsorted(order, found, "left") + np.searchsorted(order, found, "right")
    return float(ranks.mean() / (2 * len(order)))


@needs_real
def test_it_finds_real_anomalies():
    """On 95,156 labelled mail connections of KDD Cup 1999, anomalies outrank ordinary ones most of the time."""
    rows = np.load(REAL / "labelled" / "adbench" / "34_smtp.npz")
    vectors, labels = rows["X"], rows["y"]
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    forest = Forest(3, seed=1, trees=25, height=8, window=1_000)
    order = np.random.default_rng(1).permutation(len(vectors))
    scores = np.full(len(vectors), np.nan)
    for start in range(0, len(order), 500):
        some = order[start : start + 500]
        paths = forest.paths((vectors[some] - low) / (high - low))
        given_scores = forest.scores(paths)
        scores[some] = np.nan if given_scores is None else given_scores
        forest.learn(paths)
    known = ~np.isnan(scores)
    found = area_under_curve(scores[known], labels[known])
    print(f"area under the curve {found:.3f}")
    assert found > 0.75
