"""Trains the classifiers of digits.npz and digits_tanh.npz.

    python make_digits.py

Needs NumPy and scikit-learn, of which other versions may train other weights.
"""

import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

TRAINED, SHOWN = 1400, 40


def main():
    images, labels = load_digits(return_X_y=True)
    images = images / 16
    for activation, name in (("relu", "digits"), ("tanh", "digits_tanh")):
        classifier = MLPClassifier((64, 32), activation=activation, random_state=0, max_iter=300)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            classifier.fit(images[:TRAINED], labels[:TRAINED])
        arrays = {}
        for layer, (weights, bias) in enumerate(zip(classifier.coefs_, classifier.intercepts_), 1):
            arrays[f"A{layer}"] = weights.T.copy()
            arrays[f"c{layer}"] = bias
        arrays["activation"] = np.array(activation)
        arrays["b"] = classifier.predict_proba(images[TRAINED : TRAINED + SHOWN])
        arrays["x0"] = images.mean(axis=0)
        np.savez_compressed(Path(__file__).parent / f"{name}.npz", **arrays)


main()
