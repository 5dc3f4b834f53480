//! A point of the problem of a network whose depth is known when the program runs.

use crate::deep::{DeepPoint, DeepScratch};
use crate::inversion::InversionPoint;
use crate::network::{ForwardPass, ProductScratch};
use twolayer_core::{Evaluation, LinearBackend};

/// The state of an [`AnyInversion`](crate::AnyInversion) at one point x.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a solve has two, beside vectors that are far larger"
)]
pub enum AnyPoint<B: LinearBackend> {
    /// Of an [`Inversion`](crate::Inversion).
    Two(InversionPoint<B::Scalar>),
    /// Of a [`DeepInversion`](crate::DeepInversion).
    Deep(DeepPoint<B>),
}

/// Scratch of products with a Hessian, of either kind.
#[derive(Debug, Clone)]
pub struct AnyScratch<T> {
    pub(super) two: ProductScratch<T>,
    pub(super) deep: DeepScratch<T>,
}

impl<T> Default for AnyScratch<T>
where
    ProductScratch<T>: Default,
{
    fn default() -> Self {
        Self {
            two: ProductScratch::default(),
            deep: DeepScratch::default(),
        }
    }
}

impl<B: LinearBackend> AnyPoint<B> {
    /// f = softmax(z) at x (m).
    pub fn probabilities(&self) -> &[B::Scalar] {
        match self {
            Self::Two(at) => at.probabilities(),
            Self::Deep(at) => at.probabilities(),
        }
    }

    /// What the softmax makes of the logits there.
    pub(crate) fn pass(&self) -> &ForwardPass<B::Scalar> {
        match self {
            Self::Two(at) => at.pass(),
            Self::Deep(at) => at.pass(),
        }
    }

    /// The point, where it is one of two layers with ReLU.
    pub fn two_layers(&self) -> Option<&InversionPoint<B::Scalar>> {
        match self {
            Self::Two(at) => Some(at),
            Self::Deep(_) => None,
        }
    }
}

impl<B: LinearBackend> Evaluation<B::Scalar> for AnyPoint<B> {
    fn point(&self) -> &[B::Scalar] {
        match self {
            Self::Two(at) => at.point(),
            Self::Deep(at) => at.point(),
        }
    }

    fn value(&self) -> B::Scalar {
        match self {
            Self::Two(at) => at.value(),
            Self::Deep(at) => at.value(),
        }
    }

    fn gradient(&self) -> &[B::Scalar] {
        match self {
            Self::Two(at) => at.gradient(),
            Self::Deep(at) => at.gradient(),
        }
    }

    fn flips_from(&self, other: &Self) -> usize {
        match (self, other) {
            (Self::Two(at), Self::Two(other)) => at.flips_from(other),
            (Self::Deep(at), Self::Deep(other)) => at.flips_from(other),
            _ => 0,
        }
    }
}
