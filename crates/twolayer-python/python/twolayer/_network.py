"""The network, and what can be asked of it."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _arguments, _progress, _result
from ._arguments import refuse
from ._derivatives import Origin
from ._problem import Problem
from ._result import Result
from ._twolayer import Network as _Native
from ._types import Array, Callback


class Network:
    """The frozen network x ↦ softmax(A_L φ(… φ(A_1 x + c_1) …) + c_L), of two layers or more.

    Parameters
    ----------
    layers : [A1, …, AL]
        Arrays of shapes (n1, d), (n2, n1), … and (m, n), float32 or float64, in any layout; copied once.
    biases : [c1, …, cL], optional
        Arrays of shapes (n1,), … and (m,); each may be None, which is zeros.
    activation : str or sequence of str
        What is between the layers: one name for all hidden layers, or one for each, of ``"relu"``,
        ``"leaky-relu:SLOPE"``, ``"softplus"``, ``"tanh"``, ``"gelu"``, ``"gelu-tanh"``, ``"silu"``,
        ``"sigmoid"``, ``"hard-tanh"`` and ``"identity"``.
    dtype : {"float32", "float64"}, optional
        The precision of everything that is computed; by default that of the arrays, the wider one where they
        differ.

    Raises
    ------
    InputError
        A shape that does not fit, an entry that is NaN or infinite, another type; a ``ValueError`` with the
        argument's name in `argument`.

    Examples
    --------
    >>> import numpy as np, twolayer as tl
    >>> rng = np.random.default_rng(0)
    >>> net = tl.Network([rng.normal(size=(24, 8)), rng.normal(size=(40, 24))])
    >>> x = rng.normal(size=8)
    >>> r = net.invert(net.predict_proba(x))
    >>> r.status, bool(np.allclose(r.probabilities, net.predict_proba(x)))
    ('perfect-fit', True)
    """

    def __init__(
        self,
        layers: Sequence[npt.ArrayLike],
        biases: Sequence[npt.ArrayLike | None] | None = None,
        activation: str | Sequence[str] = "relu",
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        given = _items("layers", layers, "arrays, one for each layer")
        if len(given) < 2:
            refuse("layers", f"layers has {len(given)}; expected two arrays or more")
        matrices = [_matrix(f"A{number}", values) for number, values in enumerate(given, 1)]
        vectors = [None] * len(matrices)
        if biases is not None:
            vectors = _items("biases", biases, f"{len(matrices)} arrays, one for each layer")
        if len(vectors) != len(matrices):
            refuse("biases", f"biases has {len(vectors)}; expected {len(matrices)}, one for each layer")
        names = _activations(activation, len(matrices) - 1)
        kind = _precision(dtype, matrices)
        self._native = _Native(
            [np.require(matrix, kind, "A") for matrix in matrices],
            [
                _bias(f"c{number}", vector, len(matrix), kind)
                for number, (vector, matrix) in enumerate(zip(vectors, matrices, strict=True), 1)
            ],
            names,
        )
        self._dtype = kind
        self._activations = tuple(names)

    @classmethod
    def from_sklearn(cls, model: Any, *, dtype: npt.DTypeLike | None = None) -> "Network":
        """The network of a fitted ``sklearn.neural_network.MLPClassifier``, of any depth and activation.

        `predict_proba` is then the classifier's, column by column; for two classes the logistic output is
        written as a softmax of (0, z).

        Raises
        ------
        InputError
            A classifier without hidden layers, a regressor, several labels at once.
        """
        from ._loaders.sklearn import parts

        return cls(**parts(model), dtype=dtype)

    @classmethod
    def from_torch(cls, module: Any, *, dtype: npt.DTypeLike | None = None) -> "Network":
        """The network of an ``nn.Sequential`` of Linear with activations between, and perhaps a softmax.

        Activations are ReLU, LeakyReLU, Softplus, Tanh, GELU, SiLU, Sigmoid and Hardtanh, of their default
        settings. Dropout and Identity are passed over, nested Sequentials opened. PyTorch is not imported.

        Raises
        ------
        InputError
            Any other module.
        """
        from ._loaders.torch import parts

        return cls(**parts(module), dtype=dtype)

    @classmethod
    def from_keras(cls, model: Any, *, dtype: npt.DTypeLike | None = None) -> "Network":
        """The network of a Keras model of Dense layers with activations between, and softmax (or none) last.

        A last layer of one unit with a sigmoid is written as a softmax of (0, z). Keras is not imported.

        Raises
        ------
        InputError
            Any other layer or activation.
        """
        from ._loaders.keras import parts

        return cls(**parts(model), dtype=dtype)

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        *,
        activation: str | Sequence[str] | None = None,
        dtype: npt.DTypeLike | None = None,
    ) -> "Network":
        """The network in a file: ``.npz``, ``.safetensors`` or ``.onnx``, by the end of its name.

        ``.npz`` has A1, A2, … and perhaps c1, c2, … and activation, as `save` and the command `twolayer` have
        them; other arrays in it are not read. ``.safetensors`` has weights and perhaps biases as PyTorch names
        them (``0.weight``, ``0.bias``, ``2.weight``, …), with ReLU between unless `activation` says otherwise;
        it needs the package safetensors. ``.onnx`` has one chain of Gemm, or MatMul and Add, activations and
        perhaps Softmax; it needs the package onnx.

        Raises
        ------
        InputError
            A file that has something else in it, or another ending.
        ImportError
            A package that is needed and missing.
        OSError
            A file that cannot be read.
        """
        from ._loaders.files import parts

        found = parts(path)
        if activation is not None:
            found["activation"] = activation
        return cls(**found, dtype=dtype)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the layers, biases and activations to an ``.npz`` file, which the command `twolayer` reads too."""
        arrays = {f"A{number}": matrix for number, matrix in enumerate(self.layers, 1)}
        arrays |= {f"c{number}": vector for number, vector in enumerate(self.biases, 1)}
        # A file without the array has ReLUs.
        if set(self._activations) != {"relu"}:
            arrays["activation"] = np.array(self._activations)
        with open(path, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    @property
    def layers(self) -> tuple[Array, ...]:
        """Copies of A1 (n1, d) to AL (m, n)."""
        return tuple(self._native.weights()[0])

    @property
    def biases(self) -> tuple[Array, ...]:
        """Copies of c1 (n1,) to cL (m,)."""
        return tuple(self._native.weights()[1])

    @property
    def activations(self) -> tuple[str, ...]:
        """The names of the activations of the hidden layers."""
        return self._activations

    @property
    def inputs(self) -> int:
        """d."""
        return self._native.shape()[0]

    @property
    def hidden_units(self) -> int:
        """Of all hidden layers together."""
        return sum(self._native.shape()[1:-1])

    @property
    def outcomes(self) -> int:
        """m."""
        return self._native.shape()[-1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64: the precision of everything that is computed."""
        return self._dtype

    def predict_proba(self, X: npt.ArrayLike, *, threads: int | None = None) -> Array:
        """The outputs softmax(z) at X: of shape (m,) for (d,), and (K, m) for (K, d)."""
        return self._outputs(X, False, threads)

    def logits(self, X: npt.ArrayLike, *, threads: int | None = None) -> Array:
        """z, what the softmax is taken of, at X: of shape (m,) for (d,), and (K, m) for (K, d)."""
        return self._outputs(X, True, threads)

    def _outputs(self, X: npt.ArrayLike, logits: bool, threads: int | None) -> Array:
        points, is_one = _arguments.rows("X", X, self.inputs, self._dtype)
        workers = None if threads is None else _arguments.count("threads", threads)
        outputs = self._native.outputs(points, logits, workers)
        return outputs[0] if is_one else outputs

    def invert(
        self,
        b: npt.ArrayLike,
        x0: npt.ArrayLike | None = None,
        *,
        loss: str = "squared",
        regularizer: npt.ArrayLike | None = None,
        radius: float | None = None,
        bounds: Any = None,
        near: npt.ArrayLike | None = None,
        near_weight: float | None = None,
        nearest: bool = False,
        backend: str = "faer",
        hessian: str = "auto",
        max_iterations: int = 1000,
        starts: int = 1,
        threads: int | None = None,
        total: int | None = None,
        seed: int = 0,
        gtol: float | None = None,
        ftol: float | None = None,
        xtol: float | None = None,
        time_limit: float | None = None,
        certify: bool = False,
        trace: bool = True,
        callback: Callable[[Result], object] | None = None,
        progress: bool = False,
    ) -> Result:
        """Finds x whose output is b: a minimum of loss(f(x), b) + ½‖W A2 relu(A1 x + c1)‖² over ‖x‖ ≤ radius
        and within bounds.

        Python runs on meanwhile in its other threads. Ctrl-C ends the call within a fraction of a second, or
        with the iteration under way where that takes longer.

        Parameters
        ----------
        b : array (m,) or (K, m)
            Distributions: nonnegative, with sum 1 to within 1e-5. K of them are K problems, shared out over
            the threads. A b of fewer digits than the network's precision, of type float16 or with nothing but
            numbers of float32 in it, is taken for a rounded one: its sum is set right, and it is met, with the
            status ``"meets-target"``, where the output is as near as that tells.
        x0 : array (d,) or (K, d), optional
            Where to start, by default at zero. One b may have K starts, and is K problems then.
        loss : {"squared", "kl"}
            ‖f − b‖², or the Kullback–Leibler divergence Σ b log(b/f).
        regularizer : float or array (m,), optional
            w, the diagonal of W, for two layers with ReLU. It moves the output away from b.
        radius : float, optional
            The ball that x is looked for in; none by default.
        bounds : (lower, upper) or scipy.optimize.Bounds, optional
            Numbers or arrays (d,), -inf and inf where there is none; an entry is held where both are the same. No
            iterate leaves them, and an x0 outside is moved within.
        near, near_weight : array (d,) and float, optional
            Adds ½ near_weight ‖x − near‖² to the objective: of many x with the output b, one near a given point.
        nearest : bool
            Look for the x with the output b that is nearest to `near`: the call is ``nearest(near, b, …)`` then, and what
            that does not have is refused.
        backend : {"faer", "nalgebra", "ndarray"}
            The linear algebra library.
        hessian : str
            How the Hessian is approximated: ``"auto"``, ``"secant"``, ``"exact"``, ``"convexified"``,
            ``"gauss-newton"``, ``"sampled"``, ``"uniform"``, ``"leverage"``, ``"leverage-exact"``,
            ``"sketch"`` or ``"conjugate-gradient"``. Only ``"auto"`` is meant for every problem.
        max_iterations : int
            The most iterations of a solve.
        starts : int
            Up to so many starts are tried for a target that is not met: its own, solutions of the targets
            nearest to it, and random ones; the lowest is kept.
        threads : int, optional
            By default one for each core. Results do not depend on it.
        total : int, optional
            How many problems there are in all, where this call has a part of them, as on one of several machines: the
            answers are then those of one call with all. Other `starts` need one call.
        seed : int
            Of everything random.
        gtol, ftol, xtol : float, optional
            A solve ends where the gradient is below gtol times the first, where the model promises less than
            ftol times the loss, or where a step is below xtol times ‖x‖; by default a few roundoffs.
        time_limit : float, optional
            Seconds for the whole call. Targets that were not come to have NaN and the status
            ``"not-reached"``.
        certify : bool
            Whether to prove that a stationary point is near each answer, of two layers with ReLU.
        trace : bool
            Whether to keep a record of every iteration, some kilobytes a target; without, `trace` is empty.
        callback : callable, optional
            Is called with every iteration of a single problem, in the calling thread: a `Result` with `x`,
            `fun`, `nit` and the fields of the trace. It ends the call by raising ``StopIteration``, with the
            lowest point so far; another exception ends it too and comes out of it. A network with fewer
            hidden units than inputs is otherwise solved in as many unknowns as it has units, and with a
            callback in all, perhaps to another of its many answers.
        progress : bool
            Whether to show a bar, where tqdm is installed.

        Returns
        -------
        Result
            With a leading K in every field unless there is one b of shape (m,) and one x0 of shape (d,).

        Raises
        ------
        InputError
            What cannot be worked on, by the name of the argument.
        MemoryError
            Results that do not fit in memory.
        """
        if nearest:
            _arguments.only_with_nearest(
                x0=x0,
                regularizer=regularizer,
                near_weight=near_weight,
                total=total,
                gtol=gtol,
                ftol=ftol,
                xtol=xtol,
                callback=callback,
                certify=certify or None,
                loss=None if loss == "squared" else loss,
                backend=None if backend == "faer" else backend,
                hessian=None if hessian == "auto" else hessian,
            )
            return self.nearest(
                near,
                b,
                bounds=bounds,
                radius=radius,
                starts=starts,
                max_iterations=max_iterations,
                threads=threads,
                seed=seed,
                time_limit=time_limit,
                progress=progress,
            )
        targets, one_target = _arguments.rows("b", b, self.outcomes, self._dtype)
        start = np.zeros(self.inputs) if x0 is None else x0
        points, one_start = _arguments.rows("x0", start, self.inputs, self._dtype)
        _arguments.each("x0", points, targets, self.inputs)
        is_one = one_target and one_start
        if callback is not None and not is_one:
            refuse("callback", "callback is for a single problem; progress is for several")
        problems = max(len(points), len(targets)) if len(targets) else 0
        rounded_to = _arguments.rounded_to(b)
        statement = _arguments.statement(self, loss, regularizer, radius, bounds, near, near_weight)
        fields = self._native.invert(
            targets,
            rounded_to,
            points,
            statement,
            _arguments.options(
                backend=backend,
                hessian=hessian,
                max_iterations=max_iterations,
                starts=starts,
                threads=threads,
                total=_arguments.total(total, problems, starts),
                seed=seed,
                time_limit=time_limit,
                gtol=gtol,
                ftol=ftol,
                xtol=xtol,
                certify=certify,
                trace=trace,
            ),
            None if callback is None else _watching(callback),
            _progress.bar(progress),
        )
        origin = Origin(self, targets, rounded_to, statement, backend)
        return _result.result(fields, is_one, origin)

    def nearest(
        self,
        near: npt.ArrayLike | None,
        b: npt.ArrayLike | None = None,
        *,
        want: int | None = None,
        margin: float = 0.5,
        scales: npt.ArrayLike | None = None,
        bounds: Any = None,
        radius: float | None = None,
        tolerance: float | None = None,
        starts: int = 1,
        max_iterations: int = 1000,
        threads: int | None = None,
        seed: int = 0,
        time_limit: float | None = None,
        progress: bool = False,
    ) -> Result:
        """Finds the x nearest to `near` that has the output b, or at which the outcome `want` is likely enough: a
        counterfactual. It minimises ½‖D(x − near)‖² within bounds, and shows the first-order condition; another x may
        be nearer, for which `starts` looks.

        Parameters
        ----------
        near : array (d,) or (K, d)
            The points to be near to. One serves several b.
        b : array (m,) or (K, m), optional
            Outputs, without zeros.
        want, margin : int and float, optional
            In the place of b: f[want] ≥ margin; with more than 0.5 it is the winner.
        scales : array (d,), optional
            The diagonal of D, nonnegative; an entry of 0 counts no distance.
        bounds, radius
            As for `invert`.
        tolerance : float, optional
            How far the logarithms of the output may be off, by default the unit roundoff to the power of 2/3.
        starts : int
            How many starts are tried: `near`, then random ones around it.
        max_iterations : int
            The most iterations from one start.
        threads, seed, time_limit, progress
            As for `invert`.

        Returns
        -------
        Result
            With `x`, `probabilities`, `success`, `status` (``"nearest"``, ``"met"`` where the first-order condition does
            not show, ``"not-met"``, …), `message`, `nit` and `seconds`, and

            - `distance`: ‖D(x − near)‖;
            - `violation`: by how much a logarithm of the output misses what is wanted, at most;
            - `residual`: the part of D²(x − near) that is no combination of slopes of the output, kinks and bounds, 0 at
              a nearest x;
            - `distinct`: how many different nearest x the starts led to.

        Raises
        ------
        InputError
            What cannot be worked on, by the name of the argument.
        """
        if (b is None) == (want is None):
            refuse("b", "b and want are both given, or neither; expected one of them")
        if near is None:
            refuse("near", "near is None; expected the point to be near to")
        points, is_one = _arguments.rows("near", near, self.inputs, self._dtype)
        one = np.zeros(self.outcomes) if b is None else b
        targets, one_target = _arguments.rows("b", one, self.outcomes, self._dtype)
        _arguments.each("near", points, targets, self.inputs)
        weights = None if scales is None else _arguments.vector("scales", scales, self.inputs, self._dtype)
        outcome = None if want is None else _arguments.count("want", want, least=0)
        fields = self._native.nearest(
            targets,
            "float32" if b is None else _arguments.rounded_to(b),
            points,
            weights,
            _arguments.statement(self, "squared", None, radius, bounds, None, None),
            {
                "want": None if outcome is None else (outcome, _arguments.real("margin", margin)),
                "tolerance": None if tolerance is None else _arguments.real("tolerance", tolerance),
                "starts": _arguments.count("starts", starts),
                "max_iterations": _arguments.count("max_iterations", max_iterations),
                "seed": _arguments.count("seed", seed, least=0),
                "time_limit": None if time_limit is None else _arguments.real("time_limit", time_limit),
                "threads": None if threads is None else _arguments.count("threads", threads),
            },
            _progress.bar(progress),
        )
        return _result.nearest(fields, is_one and (b is None or one_target))

    def problem(
        self,
        b: npt.ArrayLike,
        *,
        loss: str = "squared",
        regularizer: npt.ArrayLike | None = None,
        radius: float | None = None,
        bounds: Any = None,
        near: npt.ArrayLike | None = None,
        near_weight: float | None = None,
        backend: str = "faer",
    ) -> Problem:
        """The objective of one target, for other minimisers; arguments as for `invert`."""
        statement = _arguments.statement(self, loss, regularizer, radius, bounds, near, near_weight)
        return Problem(self, b, statement, _arguments.word("backend", backend))

    def __repr__(self) -> str:
        d, *widths, m = self._native.shape()
        hidden = ", ".join(f"{n} {name}" for n, name in zip(widths, self._activations, strict=True))
        return f"<twolayer.Network: {d} inputs, {hidden}, {m} outcomes, {self._dtype}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Network):
            return NotImplemented
        mine, theirs = (network.layers + network.biases for network in (self, other))
        is_like = self._dtype == other._dtype and self._activations == other._activations
        return is_like and len(mine) == len(theirs) and all(map(np.array_equal, mine, theirs))

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type["Network"], tuple[Any, ...]]:
        return type(self), (self.layers, self.biases, self._activations)


def _items(name: str, values: Any, expected: str) -> list[Any]:
    try:
        return list(values)
    except TypeError:
        refuse(name, f"{name} has {type(values).__name__}; expected {expected}")


def _activations(activation: Any, hidden: int) -> list[str]:
    """A name for each hidden layer."""
    if isinstance(activation, str):
        return [activation] * hidden
    names = _items("activation", activation, "a name, or one for each hidden layer")
    if not all(isinstance(name, str) for name in names):
        refuse("activation", f"activation is {activation!r}; expected names")
    if len(names) != hidden:
        refuse("activation", f"activation has {len(names)} names; expected {hidden}, one for each hidden layer")
    return [str(name) for name in names]


def _matrix(name: str, values: Any) -> Array:
    array = _arguments.numbers(name, values)
    if array.ndim != 2:
        shape = "(n, d)" if name == "A1" else "(m, n)"
        refuse(name, f"{name} has shape {array.shape}; expected {shape}")
    return array


def _bias(name: str, values: Any, length: int, kind: np.dtype[Any]) -> Array:
    return _arguments.vector(name, np.zeros(length) if values is None else values, length, kind)


def _precision(dtype: npt.DTypeLike | None, matrices: list[Array]) -> np.dtype[Any]:
    kind = np.result_type(*matrices) if dtype is None else np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        refuse("dtype", f"dtype is {kind}; it must be float32 or float64")
    return kind


def _watching(callback: Callable[[Result], object]) -> Callback:
    """Says whether the call is to end."""

    def watch(row: npt.NDArray[np.float64], x: Array, /) -> bool:
        try:
            callback(_result.step(row, x))
        except StopIteration:
            return True
        return False

    return watch
