//! A network whose depth is known when the program runs.

use crate::deep::DeepNetwork;
use crate::deep::DeepPoint;
use crate::network::{ForwardPass, TwoLayer};
use crate::target::Target;
use twolayer_core::{ActivationName, Error, LinearBackend};

/// A network of two layers with ReLU, with all that is made for these, or one of any depth.
#[derive(Debug, Clone)]
pub enum AnyNetwork<B: LinearBackend> {
    /// Two layers with ReLU.
    Two(TwoLayer<B>),
    /// Any layers.
    Deep(DeepNetwork<B>),
}

/// A reference to either kind of network.
#[derive(Debug)]
pub enum NetworkRef<'a, B: LinearBackend> {
    /// Two layers with ReLU.
    Two(&'a TwoLayer<B>),
    /// Any layers.
    Deep(&'a DeepNetwork<B>),
}

// Not derived: a copy of a reference asks nothing of the backend.
impl<B: LinearBackend> Clone for NetworkRef<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: LinearBackend> Copy for NetworkRef<'_, B> {}

impl<'a, B: LinearBackend> From<&'a TwoLayer<B>> for NetworkRef<'a, B> {
    fn from(network: &'a TwoLayer<B>) -> Self {
        Self::Two(network)
    }
}

impl<'a, B: LinearBackend> From<&'a DeepNetwork<B>> for NetworkRef<'a, B> {
    fn from(network: &'a DeepNetwork<B>) -> Self {
        Self::Deep(network)
    }
}

impl<'a, B: LinearBackend> From<&'a AnyNetwork<B>> for NetworkRef<'a, B> {
    fn from(network: &'a AnyNetwork<B>) -> Self {
        network.by_ref()
    }
}

impl<B: LinearBackend> AnyNetwork<B> {
    /// The network of these layers: of its own type where it has two, with ReLU. One activation serves all hidden
    /// layers, none is ReLU.
    ///
    /// # Errors
    /// As [`DeepNetwork::new`] and [`DeepNetwork::with_biases`].
    pub fn new(
        backend: B,
        weights: Vec<B::Matrix>,
        biases: Vec<Vec<B::Scalar>>,
        activations: Vec<ActivationName>,
    ) -> Result<Self, Error> {
        let hidden = weights.len().saturating_sub(1);
        let activations = match activations[..] {
            [] => vec![ActivationName::Relu; hidden],
            [one] => vec![one; hidden],
            _ => activations,
        };
        match <[_; 2]>::try_from(weights) {
            Ok([a1, a2]) if activations == [ActivationName::Relu] => {
                let network = TwoLayer::new(backend, a1, a2)?;
                Error::check_length("biases", biases.len(), 2)?;
                let mut biases = biases.into_iter();
                let mut next = || biases.next().unwrap_or_default();
                network.with_biases(next(), next()).map(Self::Two)
            }
            Ok(two) => Self::deep(backend, two.into(), biases, &activations),
            Err(weights) => Self::deep(backend, weights, biases, &activations),
        }
    }

    fn deep(
        backend: B,
        weights: Vec<B::Matrix>,
        biases: Vec<Vec<B::Scalar>>,
        activations: &[ActivationName],
    ) -> Result<Self, Error> {
        let network = DeepNetwork::named(backend, weights, activations)?;
        network.with_biases(biases).map(Self::Deep)
    }

    /// A reference to it.
    pub fn by_ref(&self) -> NetworkRef<'_, B> {
        match self {
            Self::Two(network) => NetworkRef::Two(network),
            Self::Deep(network) => NetworkRef::Deep(network),
        }
    }

    /// The two layers, where it is such a network.
    pub fn two_layers(&self) -> Option<&TwoLayer<B>> {
        self.by_ref().two_layers()
    }
}

impl<'a, B: LinearBackend> NetworkRef<'a, B> {
    /// The two layers, where it is such a network.
    pub fn two_layers(self) -> Option<&'a TwoLayer<B>> {
        match self {
            Self::Two(network) => Some(network),
            Self::Deep(_) => None,
        }
    }

    /// d, the number of unknowns.
    pub fn inputs(self) -> usize {
        match self {
            Self::Two(network) => network.inputs(),
            Self::Deep(network) => network.inputs(),
        }
    }

    /// The number of hidden units of all layers.
    pub fn hidden_units(self) -> usize {
        match self {
            Self::Two(network) => network.hidden_units(),
            Self::Deep(network) => network.widths().sum(),
        }
    }

    /// The number of kinks of all hidden units: bounds of a problem come after them.
    pub fn kinks(self) -> usize {
        match self {
            Self::Two(network) => network.hidden_units(),
            Self::Deep(network) => network.kinks(),
        }
    }

    /// m, the number of outcomes.
    pub fn outcomes(self) -> usize {
        match self {
            Self::Two(network) => network.outcomes(),
            Self::Deep(network) => network.outcomes(),
        }
    }

    /// Matrix and bias of every layer, from the first to the last.
    pub fn layers(self) -> Vec<(&'a B::Matrix, &'a [B::Scalar])> {
        match self {
            Self::Two(network) => vec![
                (network.a1(), network.bias1()),
                (network.a2(), network.bias2()),
            ],
            Self::Deep(network) => network.affine_maps().collect(),
        }
    }

    /// The names of the activations of the hidden layers; none of those that were made without.
    pub fn activations(self) -> Vec<ActivationName> {
        match self {
            Self::Two(_) => vec![ActivationName::Relu],
            Self::Deep(network) => network.activation_names().to_vec(),
        }
    }

    /// Buffers for a run of the network.
    pub fn new_pass(self) -> AnyPass<'a, B> {
        match self {
            Self::Two(network) => {
                let (n, m) = (network.hidden_units(), network.outcomes());
                AnyPass::Two(network, ForwardPass::new(n, m))
            }
            Self::Deep(network) => AnyPass::Deep(network, network.new_point()),
        }
    }

    /// The linear algebra library.
    pub fn backend(self) -> &'a B {
        match self {
            Self::Two(network) => network.backend(),
            Self::Deep(network) => network.backend(),
        }
    }

    /// The same network, its matrices shared and not copied, on at most so many threads.
    pub fn with_threads(self, threads: usize) -> AnyNetwork<B> {
        match self {
            Self::Two(network) => AnyNetwork::Two(network.with_threads(threads)),
            Self::Deep(network) => AnyNetwork::Deep(network.with_threads(threads)),
        }
    }

    /// The network's output (m) at `x` (d).
    ///
    /// # Errors
    /// An x of the wrong length, or with an entry that is NaN or infinite; logits that overflow.
    pub fn probabilities(self, x: &[B::Scalar]) -> Result<Vec<B::Scalar>, Error> {
        match self {
            Self::Two(network) => network.probabilities(x),
            Self::Deep(network) => network.probabilities(x),
        }
    }

    /// Checks that a target is one of this network.
    ///
    /// # Errors
    /// Other than m outcomes, or a probability of one that is masked.
    pub fn check_target(self, target: &Target<B::Scalar>) -> Result<(), Error> {
        match self {
            Self::Two(network) => network.check_target(target),
            Self::Deep(network) => network.check_target(target),
        }
    }
}

/// What a network of either kind computes at a point.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each thread, beside vectors that are far larger"
)]
pub enum AnyPass<'a, B: LinearBackend> {
    /// Of two layers with ReLU.
    Two(&'a TwoLayer<B>, ForwardPass<B::Scalar>),
    /// Of any layers.
    Deep(&'a DeepNetwork<B>, DeepPoint<B>),
}

impl<B: LinearBackend> AnyPass<'_, B> {
    /// Runs the network on `x` (d).
    pub fn run(&mut self, x: &[B::Scalar]) {
        match self {
            Self::Two(network, pass) => network.forward(x, &[], pass),
            Self::Deep(network, at) => network.run(x, at),
        }
    }

    /// z (m) of the last run.
    pub fn logits(&self) -> &[B::Scalar] {
        match self {
            Self::Two(_, pass) => &pass.logits,
            Self::Deep(_, at) => at.logits(),
        }
    }

    /// softmax(z) (m) of the last run.
    pub fn probabilities(&self) -> &[B::Scalar] {
        match self {
            Self::Two(_, pass) => &pass.probabilities,
            Self::Deep(_, at) => at.probabilities(),
        }
    }
}
