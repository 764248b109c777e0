"""Off-policy figures are those of others to the last digit, and numbers that are noise are not given out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.experiments.off_policy import Estimated, Logged, Refusal, effective_size, report, slates, slope
from heedful.experiments.off_policy import estimators as est
from heedful.experiments.off_policy.intervals import (
    bernstein_bound,
    hoeffding_bound,
    incomplete_beta,
    standard_error,
    student_bound,
    student_quantile,
)
from heedful.experiments.off_policy.logs import Floats, Integers, checked
from heedful.experiments.off_policy.reward_models import action_means, cross_fitted, folds, robust_weights
from heedful.experiments.off_policy.verdicts import gates
from heedful.vocabulary.errors import Invalid

from .growthbook import DATA

MEN = DATA / "open_bandit" / "bts_men.csv.zst"
VECTORS = Path(DATA).parent / "references" / "oracle_vectors.json"


def worked() -> Logged:
    """The eight decisions of the published vectors (computed by `obp` 0.5.5)."""
    action = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    rows = np.arange(8)
    logging = np.array([[0.5, 0.3, 0.2]] * 4 + [[0.2, 0.5, 0.3]] * 4)
    target = np.array([[0.1, 0.1, 0.8], [0.2, 0.3, 0.5]] * 4)
    model = np.array([[0.4, 0.7, 0.2] if row in (0, 3, 6) else [0.6, 0.3, 0.5] for row in range(8)])
    return Logged(
        action,
        np.array([1, 0, 1, 0, 1, 0, 1, 1], float),
        logging[rows, action],
        target[rows, action],
        targets=target,
        propensities=logging,
        predicted=model,
    )


def test_every_estimator_gives_the_published_value() -> None:
    log = worked()
    got = {
        "ips": est.ips(log), "ips_clip_min(w,2)": est.clipped_ips(log, 2), "snips": est.snips(log),
        "dm": est.dm(log), "dr": est.dr(log), "dr_clip2": est.clipped_dr(log, 2), "sndr": est.sndr(log),
        "switch_dr_tau2": est.switch_dr(log, 2), "dros_lambda2": est.dros(log, 2),
        "sg_ips_0.1": est.sub_gaussian_ips(log, 0.1), "sg_dr_0.1": est.sub_gaussian_dr(log, 0.1),
    }  # fmt: skip
    expected = {
        "ips": 0.6875, "ips_clip_min(w,2)": 0.4375, "snips": 0.642023346304, "dm": 0.41125,
        "dr": 0.622083333333, "dr_clip2": 0.497083333333, "sndr": 0.608137159533,
        "switch_dr_tau2": 0.372083333333, "dros_lambda2": 0.461592211952,
        "sg_ips_0.1": 0.582877684387, "sg_dr_0.1": 0.57661211773,
    }  # fmt: skip
    assert {name: float(terms.mean()) for name, terms in got.items()} == pytest.approx(expected, abs=1e-9)
    assert effective_size(log.weights) == pytest.approx(3.5577161325074065, abs=1e-9)


def test_the_bounds_are_the_published_ones() -> None:
    terms = est.ips(worked())
    assert hoeffding_bound(terms, 4) == pytest.approx(-1.0433183826022854, abs=1e-9)
    assert bernstein_bound(terms, 4) == pytest.approx(-5.5351041857377385, abs=1e-9)
    assert student_bound(terms) == pytest.approx(-0.22212148591707115, abs=1e-9)


def test_the_pseudo_inverse_is_the_published_one() -> None:
    logged = np.array([[0.5, 0.2], [0.5, 0.8], [0.5, 0.2]])
    target = np.array([[0.25, 0.4], [0.75, 0.6], [0.75, 0.4]])
    terms = slates.pseudo_inverse(np.array([1.0, 0, 1]), logged, target)
    assert terms.mean() == pytest.approx(1.3333333333333333, abs=1e-9)


@pytest.mark.skipif(not VECTORS.is_file(), reason="the oracle vectors are not there: set HEEDFUL_DATA")
def test_the_vectors_written_down_here_are_those_of_the_file() -> None:
    said = json.loads(VECTORS.read_text(encoding="utf-8"))["ope_obp_0.5.5"]["out"]
    assert said["dros_lambda2"] == 0.461592211952
    assert said["ess"] == 3.5577161325074065


def picked(log: Logged, rows: Integers) -> Logged:
    """Some rows of `log`, what every log has of them."""
    return Logged(log.action[rows], log.reward[rows], log.propensity[rows], log.target[rows])


def men() -> Logged:
    """A uniform policy asked about on the log of Thompson sampling, 34 items."""
    with MEN.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
        lines = io.TextIOWrapper(stream, encoding="utf-8")
        names = next(lines).strip().split(",")
        columns = [names.index(name) for name in ("item_id", "click", "propensity_score")]
        rows = np.array([[float(line.split(",")[c]) for c in columns] for line in lines])
    uniform = np.full(len(rows), 1 / 34)
    return Logged(rows[:, 0].astype(np.int64), rows[:, 1], rows[:, 2], uniform)


@pytest.mark.skipif(not MEN.is_file(), reason="open_bandit is not there: set HEEDFUL_DATA to the data folder")
def test_the_open_bandit_figures_are_reproduced() -> None:
    log = men()
    assert len(log.action) == 10_000
    assert est.ips(log).mean() == pytest.approx(0.0030086263, abs=1e-8)
    assert est.snips(log).mean() == pytest.approx(0.0031894232, abs=1e-8)
    assert effective_size(log.weights) == pytest.approx(655.7098, abs=1e-4)
    assert log.weights.max() == pytest.approx(178.253119, abs=1e-6)
    assert log.weights.mean() == pytest.approx(0.94331363, abs=1e-8)
    found = report(log)
    assert isinstance(found.verdict, Estimated)
    assert found.verdict.low < 0.0046 < found.verdict.high  # what the uniform policy really earned


def test_a_log_where_two_rows_carry_everything_gets_no_verdict() -> None:
    """The women of the Open Bandit data: 10,000 rows that count as 2.08, with a mean weight that looks
    plausible."""
    n = 10_000
    propensity = np.full(n, 0.9)
    propensity[:2] = 1e-6
    log = Logged(np.zeros(n, np.int64), np.ones(n), propensity, np.full(n, 1 / 46))
    found = report(log)
    assert isinstance(found.verdict, Refusal)
    red = {gate.code for gate in found.verdict.gates}
    assert {"effective_size", "largest_share"} <= red
    assert abs(found.mean_weight - 1) <= 3 * standard_error(log.weights)
    assert "mean_weight" not in red
    assert not found.bounds
    assert "count as 2" in found.verdict.text


def draws(seed: int, n: int = 4_000, actions: int = 4) -> tuple[Logged, float]:
    """A log with a known truth: rewards depend on the action, the target prefers the better ones."""
    chance = np.random.default_rng(seed)
    logging = chance.dirichlet(np.full(actions, 4.0), size=n)
    truth = np.linspace(0.1, 0.7, actions)
    target = np.tile(truth / truth.sum(), (n, 1))
    action = (chance.random(n)[:, None] > np.cumsum(logging, axis=1)).sum(axis=1)
    rows = np.arange(n)
    reward = (chance.random(n) < truth[action]).astype(float)
    log = Logged(
        action, reward, logging[rows, action], target[rows, action], targets=target, propensities=logging
    )
    fold = folds(rows, 5, seed)
    predicted = cross_fitted(fold, action_means(action, reward, actions))
    return log._replace(predicted=predicted), float((truth / truth.sum() * truth).sum())


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    inside, widths = np.zeros(2), np.zeros(2)
    runs = 200
    for seed in range(runs):
        log, truth = draws(seed, n=1_000)
        for place, terms in enumerate((est.snips(log), est.dr(log))):
            half = student_quantile(0.975, 999) * standard_error(terms)
            inside[place] += abs(terms.mean() - truth) <= half
            widths[place] += half
    assert (inside / runs >= 0.91).all(), inside / runs
    assert widths[1] < widths[0]  # the model takes spread away


def test_a_good_log_gets_a_verdict_and_bounds_below_it() -> None:
    log, truth = draws(7)
    found = report(log, most_reward=1.0)
    assert isinstance(found.verdict, Estimated)
    assert found.verdict.estimator == "dr"
    assert found.verdict.low < truth < found.verdict.high
    assert found.bounds.keys() == {"student", "hoeffding", "bernstein"}
    assert all(bound < truth for bound in found.bounds.values())
    assert {one.estimator for one in found.estimates} == {"ips", "snips", "dr", "dm"}


def test_each_gate_fires_where_it_must() -> None:
    log, _ = draws(3)
    assert not any(gate.is_red for gate in gates(log))
    wrong = log._replace(propensity=np.minimum(log.propensity * 1.5, 1.0))
    assert [gate.code for gate in gates(wrong) if gate.is_red] == ["mean_weight"]
    assert log.propensities is not None
    never = log.propensities.copy()
    never[:, 3] = 0.0
    assert "support" in [gate.code for gate in gates(log._replace(propensities=never)) if gate.is_red]
    apart = (Estimated("ips", 0.1, 0.01, 0.08, 0.12), Estimated("snips", 0.5, 0.01, 0.48, 0.52))
    (gate,) = [gate for gate in gates(log, apart) if gate.is_red]
    assert gate.code == "disagreement"
    few = picked(log, np.arange(50))
    assert gates(few)[0].is_red


def test_rows_of_one_person_count_as_less_than_rows_of_many() -> None:
    log, _ = draws(11, n=1_000)
    four = picked(log, np.repeat(np.arange(1_000), 4))
    alone = standard_error(est.ips(log))
    assert standard_error(est.ips(four)) < 0.6 * alone
    assert standard_error(est.ips(four), np.repeat(np.arange(1_000), 4)) == pytest.approx(alone, rel=1e-9)
    assert report(four._replace(units=np.repeat(np.arange(1_000), 4)), most_reward=1.0).bounds.keys() == {
        "student"
    }


def test_folds_keep_a_person_together_and_predictions_have_not_seen_their_row() -> None:
    units = np.repeat(np.arange(300), 3)
    fold = folds(units, 5, 1)
    assert set(fold.tolist()) == set(range(5))
    assert all(len(set(fold[units == unit].tolist())) == 1 for unit in range(300))
    seen: list[set[int]] = []

    def fit(rows: Integers) -> Callable[[Integers], Floats]:
        learned = set(units[rows].tolist())

        def predict(asked: Integers) -> Floats:
            seen.append(learned & set(units[asked].tolist()))
            return np.zeros((len(asked), 2))

        return predict

    assert cross_fitted(fold, fit).shape == (900, 2)
    assert seen == [set()] * 5


def test_a_model_for_the_least_spread_weighs_rare_actions_more() -> None:
    weights = robust_weights(np.array([0.5, 0.5]), np.array([0.5, 0.1]))
    assert weights.tolist() == pytest.approx([1.0, 45.0])


def test_slope_stops_where_bias_shows() -> None:
    log, _ = draws(5)
    caps = [np.inf, 10.0, 3.0, 1.0, 0.3, 0.05]
    chosen = slope([est.clipped_ips(log, cap) for cap in caps])
    values = [float(est.clipped_ips(log, cap).mean()) for cap in caps]
    assert 0 < chosen < 5  # clipping at 0.05 loses most of the reward
    assert abs(values[chosen] - values[0]) < abs(values[5] - values[0])
    assert slope([est.ips(log)]) == 0


@given(st.integers(0, 10_000), st.floats(0.5, 20), st.floats(0.01, 100))
def test_the_estimators_meet_where_they_must(seed: int, most: float, shrinkage: float) -> None:
    log, _ = draws(seed, n=60)
    assert est.switch_dr(log, np.inf) == pytest.approx(est.dr(log))
    assert est.switch_dr(log, 0.0) == pytest.approx(est.dm(log))
    assert est.dros(log, np.inf) == pytest.approx(est.dr(log))
    assert est.sub_gaussian_ips(log, 0.0) == pytest.approx(est.ips(log))
    assert est.sub_gaussian_ips(log, 1.0) == pytest.approx(log.reward)
    assert est.clipped_ips(log, most).mean() <= est.ips(log).mean() + 1e-12
    assert log.reward.min() - 1e-9 <= est.snips(log).mean() <= log.reward.max() + 1e-9
    flat = log._replace(predicted=np.zeros_like(log.targets))
    assert est.dr(flat) == pytest.approx(est.ips(log))
    assert est.sndr(flat) == pytest.approx(est.snips(log))
    assert abs(est.dros(log, shrinkage)).max() <= abs(est.dr(log)).max() + 2


@given(st.integers(0, 10_000))
def test_slate_estimators_agree_for_one_place_and_for_the_logging_policy(seed: int) -> None:
    chance = np.random.default_rng(seed)
    rewards, logged, target = chance.random((20, 3)), chance.uniform(0.1, 1, (20, 3)), chance.random((20, 3))
    one = rewards[:, :1], logged[:, :1], target[:, :1]
    plain = slates.standard_ips(*one)
    assert slates.independent_ips(*one) == pytest.approx(plain)
    assert slates.reward_interaction_ips(*one) == pytest.approx(plain)
    assert slates.pseudo_inverse(one[0][:, 0], one[1], one[2]) == pytest.approx(plain)
    total = rewards.sum(axis=1)
    for estimate in (slates.standard_ips, slates.independent_ips, slates.reward_interaction_ips):
        assert estimate(rewards, logged, logged) == pytest.approx(total)
    zero = np.zeros_like(rewards)
    assert slates.cascade_dr(rewards, logged, target, zero, zero) == pytest.approx(
        slates.reward_interaction_ips(rewards, logged, target)
    )


def test_cascade_dr_is_right_whatever_the_model_says_and_steadier_with_a_good_one() -> None:
    chance = np.random.default_rng(2)
    n, k = 40_000, 3
    heads = chance.random((n, k)) < 0.5  # logged: a fair coin in each place
    rewards = np.where(heads, 1.0, 0.2)
    p = 0.8  # the target prefers heads
    logged, target = np.full((n, k), 0.5), np.where(heads, p, 1 - p)
    value = p * 1.0 + (1 - p) * 0.2
    left = np.arange(k - 1, -1, -1) * value
    good = slates.cascade_dr(rewards, logged, target, rewards + left, np.full((n, k), value) + left)
    bad = slates.cascade_dr(
        rewards, logged, target, np.where(heads, 0.3, 0.9), np.full((n, k), 0.3 * p + 0.9 * (1 - p))
    )
    rips = slates.reward_interaction_ips(rewards, logged, target)
    assert rips.mean() == pytest.approx(k * value, abs=0.05)
    assert bad.mean() == pytest.approx(k * value, abs=0.05)
    assert good.mean() == pytest.approx(k * value, abs=1e-9)
    assert good.std() < 1e-6 < rips.std()


@pytest.mark.parametrize(
    ("column", "value", "path"),
    [
        ("propensity", 0.0, "propensity"),
        ("propensity", 1.2, "propensity"),
        ("target", -0.1, "target"),
        ("reward", np.nan, "reward"),
    ],
)
def test_a_log_that_cannot_be_is_refused(column: str, value: float, path: str) -> None:
    log = worked()
    broken = getattr(log, column).copy()
    broken[3] = value
    with pytest.raises(Invalid) as error:
        checked(log._replace(**{column: broken}))
    assert error.value.path == path


def test_a_log_of_one_row_or_of_uneven_columns_is_refused() -> None:
    log = worked()
    with pytest.raises(Invalid, match="at least 2"):
        checked(picked(log, np.arange(1)))
    with pytest.raises(Invalid, match="shape"):
        checked(log._replace(reward=log.reward[:5]))
    with pytest.raises(Invalid, match="targets and predicted"):
        est.dr(log._replace(predicted=None))


@settings(deadline=None)  # the first example imports scipy
@given(st.floats(0.2, 300), st.floats(0.2, 300), st.floats(0.001, 0.999))
def test_the_incomplete_beta_function_is_scipys(a: float, b: float, x: float) -> None:
    special = pytest.importorskip("scipy.special")
    assert incomplete_beta(a, b, x) == pytest.approx(special.betainc(a, b, x), rel=1e-8, abs=1e-13)


@pytest.mark.parametrize("df", [1, 2, 7, 30, 9_999])
@pytest.mark.parametrize("p", [0.05, 0.6, 0.95, 0.975, 0.9999])
def test_students_quantiles_are_scipys(df: int, p: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert student_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-8)
