"""Figures of a run, against what is counted out or known to be true."""

import random
from itertools import combinations
from statistics import mean

import pytest

from evals.results import CaseResult
from evals.statistics import by_k, pass_all, pass_at, pass_rate, wilson
from tests.contract import promise
from tests.evals.results_made import case


@pytest.mark.parametrize(("n", "c"), [(n, c) for n in range(1, 7) for c in range(n + 1)])
@promise("running.figures")
def test_both_are_the_share_of_all_ways_to_choose_k_of_n(n: int, c: int) -> None:
    attempts = [at < c for at in range(n)]
    for k in range(1, n + 1):
        chosen = list(combinations(attempts, k))
        assert pass_at(n, c, k) == pytest.approx(mean(any(some) for some in chosen))
        assert pass_all(n, c, k) == pytest.approx(mean(all(some) for some in chosen))


@promise("running.figures")
def test_every_k_has_a_figure_that_all_cases_were_asked_often_enough_for() -> None:
    cases = [case("one", True, False, True), case("two", False, False, True, True), CaseResult(id="unasked")]
    found = by_k(cases, pass_at)
    assert [*found] == [1, 2, 3]
    assert found[1].value == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found[1].value <= found[2].value <= found[3].value
    every = by_k(cases, pass_all)
    assert every[1].value == pytest.approx(found[1].value)
    assert every[1].value >= every[2].value >= every[3].value == 0


@promise("running.figures")
def test_the_interval_of_a_share_is_wilson_s() -> None:
    """8 of 10: .490 to .943. Source: Brown, Cai, DasGupta 2001, "Interval Estimation for a Binomial Proportion"."""
    found = wilson(8, 10)
    assert (found.value, round(found.low, 3), round(found.high, 3)) == (0.8, 0.49, 0.943)
    assert (wilson(10, 10).high, wilson(0, 10).low) == (1, 0)


@promise("running.figures")
def test_intervals_hold_the_true_rate_as_often_as_they_say() -> None:
    """Cases of three epochs, easy and hard ones; the true rate is that of all cases there might be."""
    chance, held = random.Random(5), 0
    for _ in range(80):
        cases = []
        for at in range(60):
            likely = chance.choice((0.3, 0.95))
            cases.append(case(str(at), *(chance.random() < likely for _ in range(3))))
        found = pass_rate(cases)
        assert found
        held += found.low <= 0.625 <= found.high
    assert held >= 0.87 * 80


@promise("running.figures")
def test_nine_cases_that_all_pass_do_not_make_certain() -> None:
    """Though they were asked three times each."""
    cases = [case(str(at), True, True, True) for at in range(9)]
    for found in (pass_rate(cases), by_k(cases, pass_all)[3]):
        assert found and (found.value, round(found.low, 2), found.high) == (1, 0.7, 1)


@promise("running.figures")
def test_of_nothing_there_is_no_rate() -> None:
    assert pass_rate([]) is None and pass_rate([CaseResult(id="unasked")]) is None and by_k([], pass_at) == {}
