"""Rates with failures against counts of comparisons."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.errors import UsageError
from facedistill.evaluation import failure_rate, generalised_fmr, generalised_fnmr


@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_generalised_rates_are_shares_of_all_comparisons(failed, compared, wrong):
    wrong = min(wrong, compared)
    failures = failure_rate(failed, failed + compared)
    assert generalised_fnmr(wrong / compared, failures) == pytest.approx((failed + wrong) / (failed + compared))
    assert generalised_fmr(wrong / compared, failures) == pytest.approx(wrong / (failed + compared))


def test_a_curve_keeps_its_shape():
    fnmr = np.array([[1.0, 0.5], [0.25, 0.0]])
    np.testing.assert_allclose(generalised_fnmr(fnmr, 0.2), [[1.0, 0.6], [0.4, 0.2]])
    np.testing.assert_allclose(generalised_fmr(fnmr, 0.2), fnmr * 0.8)


@pytest.mark.parametrize(
    ("failed", "attempts"),
    [
        pytest.param(0, 0, id="no attempt"),
        pytest.param(3, 2, id="more failures than attempts"),
        pytest.param(-1, 2, id="negative"),
    ],
)
def test_counts_that_make_no_rate(failed, attempts):
    with pytest.raises(UsageError, match="must be a whole number"):
        failure_rate(failed, attempts)


@pytest.mark.parametrize(("rate", "failures"), [(1.1, 0.0), (np.nan, 0.0), (-0.1, 0.0), (0.5, 1.5), (0.5, np.nan)])
def test_rates_out_of_range(rate, failures):
    for function in (generalised_fmr, generalised_fnmr):
        with pytest.raises(UsageError, match=r"between 0 and 1|from 0 to 1"):
            function(rate, failures)
