//! A network whose depth is known when the program runs.

use crate::deep::DeepNetwork;
use crate::network::TwoLayer;
use crate::target::Target;
use twolayer_core::{Error, LinearBackend};

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
