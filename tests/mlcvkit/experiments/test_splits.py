"""Rows held out, with scikit-learn's ``train_test_split`` as the witness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from mlcvkit import InputError
from mlcvkit.datasets import Samples
from mlcvkit.experiments import split_rows, split_test_rows


@given(
    st.lists(st.integers(2, 40), min_size=1, max_size=8),
    st.floats(0.02, 0.98),
    st.integers(0, 2**31 - 1),
    st.randoms(use_true_random=False),
)
def test_the_rows_and_the_next_draw_are_those_of_scikit_learn(sizes, share, seed, order):
    strata = [name for name, size in zip("abcdefgh", sizes, strict=False) for _ in range(size)]
    order.shuffle(strata)
    strata, N = np.array(strata), len(strata)
    count = min(max(round(share * N), 1), N - 1)
    stratified = len(sizes) <= count <= N - len(sizes)
    ours, theirs = np.random.RandomState(seed), np.random.RandomState(seed)
    chosen, held_out = split_rows(N, count, strata, ours)
    expected = train_test_split(
        np.arange(N), test_size=count, random_state=theirs, stratify=strata if stratified else None
    )
    np.testing.assert_array_equal(chosen, np.sort(expected[0]))
    np.testing.assert_array_equal(held_out, np.sort(expected[1]))
    assert ours.randint(2**31 - 1) == theirs.randint(2**31 - 1)


def test_a_class_of_a_single_row_is_trained_on():
    strata = np.array([*"aaaabbbb", "c"])
    for seed in range(20):
        chosen, held_out = split_rows(9, 4, strata, seed)
        assert 8 in chosen and sorted([*chosen, *held_out]) == list(range(9))


@pytest.mark.parametrize(("fraction", "message"), [(0.95, "leaves nothing to train on")])
def test_a_fraction_that_leaves_nothing_is_refused(fraction, message):
    samples = Samples("t", np.zeros((5, 2)), np.arange(5), "y", "")
    with pytest.raises(InputError, match=message):
        split_test_rows(samples, samples.y, fraction, "classification", 0)
