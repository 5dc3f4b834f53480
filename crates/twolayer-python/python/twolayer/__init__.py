"""Which input of a trained two-layer network has this output?

    >>> import twolayer as tl
    >>> net = tl.Network([A1, A2], biases=[c1, c2])
    >>> r = net.invert(b)

minimises ``loss(softmax(A2 relu(A1 x + c1) + c2), b)`` over x. `Network` has what there is to say about it.
"""

from ._network import Network
from ._problem import Problem
from ._result import Certificate, Result
from ._twolayer import InputError, NoDerivative

__all__ = ["Certificate", "InputError", "Network", "NoDerivative", "Problem", "Result"]
