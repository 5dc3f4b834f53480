"""Scikit-learn's own checks of an estimator, on the transformer."""

import numpy as np
from sklearn.utils.estimator_checks import parametrize_with_checks

import twolayer as tl
from twolayer.sklearn import Inverter


class OfAnyWidth(Inverter):
    """The checks fit to data of several widths: here to each with a network of its width."""

    dtype = "float64"

    def _fitted_to(self, width):
        rng = np.random.default_rng(0)
        layers = [rng.normal(size=(12, width)) / np.sqrt(width), rng.normal(size=(7, 12)) / np.sqrt(12)]
        return tl.Network(layers, biases=[rng.normal(size=12), np.zeros(7)], dtype=self.dtype)


class InSinglePrecision(OfAnyWidth):
    dtype = "float32"


@parametrize_with_checks([OfAnyWidth(), InSinglePrecision()])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)
