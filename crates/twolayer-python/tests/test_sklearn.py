"""Networks from scikit-learn, and a network as its transformer."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import twolayer as tl
from twolayer.sklearn import Inverter


def trained(data, units=24, kind=MLPClassifier, **options):
    X, y = data(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kind(hidden_layer_sizes=units, max_iter=30, random_state=0, **options).fit(X, y), X


@pytest.mark.parametrize("data", [load_digits, load_wine, load_iris])
def test_a_classifier_goes_there_and_back(data):
    classifier, X = trained(data)
    net = tl.Network.from_sklearn(classifier)
    assert (net.inputs, net.outcomes) == (X.shape[1], len(classifier.classes_))
    outputs = net.predict_proba(X)
    assert np.abs(outputs - classifier.predict_proba(X)).max() <= 1e-14
    r = net.invert(outputs[:20])
    assert r.success.all() and r.fun.max() <= 1e-20
    # By scikit-learn itself.
    assert np.abs(classifier.predict_proba(r.x) - outputs[:20]).max() <= 1e-9


def test_a_logistic_output_is_a_softmax_of_two():
    X, y = load_iris(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier = MLPClassifier(8, max_iter=50, random_state=0).fit(X, y == 1)
    net = tl.Network.from_sklearn(classifier)
    assert net.outcomes == 2
    assert np.abs(net.predict_proba(X) - classifier.predict_proba(X)).max() <= 1e-14


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: trained(load_iris, ())[0], "model is linear, softmax; expected linear layers"),
        (lambda: trained(load_iris, kind=MLPRegressor)[0], "regressor"),
        (MLPClassifier, "MLPClassifier without coefs_; expected a fitted"),
        (lambda: 3, "int without coefs_"),
    ],
)
def test_what_is_no_such_network_is_refused(model, words):
    with pytest.raises(tl.InputError, match=words) as caught:
        tl.Network.from_sklearn(model())
    assert caught.value.argument == "model"


def test_several_labels_at_once_are_refused():
    X = np.random.default_rng(0).normal(size=(40, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier = MLPClassifier(4, max_iter=5).fit(X, X[:, :2] > 0)
    with pytest.raises(tl.InputError, match="sigmoid"):
        tl.Network.from_sklearn(classifier)


def test_a_transformer_goes_forth_and_back_in_a_pipeline():
    classifier, X = trained(load_iris)
    net = tl.Network.from_sklearn(classifier)
    pipeline = make_pipeline(StandardScaler(), Inverter(net, {"loss": "kl"}))
    outputs = pipeline.fit(X).transform(X)
    assert outputs.shape == (150, 3)
    inputs = pipeline.inverse_transform(outputs[:10])
    assert np.abs(pipeline.transform(inputs) - outputs[:10]).max() <= 1e-6
    names = pipeline.get_feature_names_out()
    assert list(names) == ["inverter0", "inverter1", "inverter2"]


def test_a_transformer_is_an_estimator():
    net = tl.Network([np.eye(3), np.eye(3)])
    inverter = Inverter(net, {"starts": 2})
    copy = clone(inverter)
    # A clone has a network of its own, which is equal.
    assert copy.get_params()["options"] == {"starts": 2} and copy.network == net
    with pytest.raises(NotFittedError):
        inverter.transform(np.ones((2, 3)))
    with pytest.raises(tl.InputError, match="network is None"):
        Inverter().fit(np.ones((2, 3)))
    with pytest.raises(tl.InputError, match=r"X has shape \(2, 4\); expected \(K, 3\)"):
        inverter.fit(np.ones((2, 4)))
    fitted = inverter.fit(np.ones((2, 3)))
    assert fitted is inverter and fitted.n_features_in_ == 3
    with pytest.raises(ValueError, match="4 features"):
        fitted.transform(np.ones((2, 4)))
    assert fitted.set_params(options=None).inverse_transform(np.full((1, 3), 1 / 3)).shape == (1, 3)
