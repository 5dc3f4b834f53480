"""Inverting a network as a function that PyTorch differentiates. PyTorch is imported when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._network import Network


def invert(network: Network, b: Any, x0: Any = None, **options: Any) -> Any:
    """x whose output is b, differentiable in b, with the solver on the CPU.

    b is (m,), or (K, m) for K problems; x is (d,) or (K, d), of b's type and on its device. The solver
    computes in the network's precision. A second derivative is not known, and refused.

    Parameters
    ----------
    network : Network
    b : torch.Tensor (m,) or (K, m)
    x0, **options
        As for `Network.invert`; they are constants.

    Raises
    ------
    NoDerivative
        From ``backward``, where the answer has no derivative.

    Examples
    --------
    >>> twolayer.torch.invert(net, b).sum().backward()
    """
    import torch

    def pull_back(context: Any, v: Any) -> Any:
        gradient = context.answer.vjp_b(v.detach().cpu().numpy())
        return torch.as_tensor(gradient, dtype=v.dtype, device=v.device)

    class Invert(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(context: Any, b: Any) -> Any:
            answer = network.invert(b.detach().cpu().numpy(), x0, trace=False, **options)
            context.answer = answer
            return torch.as_tensor(answer.x, dtype=b.dtype, device=b.device)

        backward = staticmethod(torch.autograd.function.once_differentiable(pull_back))

    return Invert.apply(b)
