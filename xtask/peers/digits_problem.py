"""A classifier of handwritten digits as a problem file: targets that it attains, start zero.

Usage: digits_problem.py OUT.npz --targets K [--seed SEED]

The network (64 → 64 → 10) is scikit-learn's MLPClassifier, trained on three quarters of its digits,
whose values are divided by 16. A target is the network's output at the mean of two digits from the
other quarter that are drawn at random. The seed is that of the split, the training and the draw.
"""

import argparse
import warnings

import numpy as np
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("out")
arguments.add_argument("--targets", type=int, required=True)
arguments.add_argument("--seed", type=int, default=0)
arguments = arguments.parse_args()

images, labels = load_digits(return_X_y=True)
train, test, train_labels, test_labels = train_test_split(
    images / 16, labels, random_state=arguments.seed
)
classifier = MLPClassifier((64,), random_state=arguments.seed)
with warnings.catch_warnings():
    # It classifies well before the optimiser's own tolerance is met.
    warnings.simplefilter("ignore", ConvergenceWarning)
    classifier.fit(train, train_labels)
accuracy = classifier.score(test, test_labels)
if accuracy < 0.9:
    raise SystemExit(f"the classifier is right on {accuracy:.0%} of the other digits only")

(A1, A2), (c1, c2) = [W.T for W in classifier.coefs_], classifier.intercepts_
random = np.random.default_rng(arguments.seed)
pairs = random.integers(len(test), size=(arguments.targets, 2))
inputs = test[pairs].mean(axis=1)
b = softmax(np.maximum(inputs @ A1.T + c1, 0) @ A2.T + c2, axis=1)
arrays = dict(A1=A1, c1=c1, A2=A2, c2=c2, x0=np.zeros(A1.shape[1]), b=b)
np.savez(arguments.out, **{name: np.ascontiguousarray(array) for name, array in arrays.items()})
print(f'{{"accuracy": {accuracy}}}')
