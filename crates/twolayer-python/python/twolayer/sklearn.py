"""A network as a transformer of scikit-learn, which has to be installed."""

from collections.abc import Mapping
from typing import Any

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from ._arguments import refuse
from ._network import Network


class Inverter(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """`transform` is the network's output, `inverse_transform` an input that has it.

    Parameters
    ----------
    network : Network
        Is not trained: `fit` checks that X has its number of columns, and no more.
    options : dict, optional
        Of `Network.invert`, such as ``{"loss": "kl", "starts": 8}``.
    """

    def __init__(
        self, network: Network | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        self.network = network
        self.options = options

    def fit(self, X: Any, y: Any = None) -> "Inverter":
        """Checks the number of columns of X (K, d)."""
        X = validate_data(self, X, dtype="numeric")
        self.network_ = self._fitted_to(X.shape[1])
        if X.shape[1] != self.network_.inputs:
            refuse("X", f"X has shape {X.shape}; expected (K, {self.network_.inputs})")
        self._n_features_out = self.network_.outcomes
        return self

    def _fitted_to(self, width: int) -> Network:
        """The network for inputs of this width."""
        if self.network is None:
            refuse("network", "network is None; expected a twolayer.Network")
        return self.network

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Outputs are of the network's precision, whatever that of X is.
        tags.transformer_tags.preserves_dtype = []
        return tags

    def transform(self, X: Any) -> Any:
        """The outputs (K, m) at X (K, d)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=["float64", "float32"], reset=False)
        return self.network_.predict_proba(X)

    def inverse_transform(self, X: Any) -> Any:
        """Inputs (K, d) whose outputs are the rows of X (K, m)."""
        check_is_fitted(self)
        targets = check_array(X, dtype=["float64", "float32"])
        return self.network_.invert(targets, **(self.options or {})).x
