//! What derivatives are asked of a problem, whatever the depth of its network.

use crate::any::AnyInversion;
use crate::chain::Link;
use crate::deep::{DeepInversion, DeepPoint};
use crate::inversion::{Inversion, InversionPoint};
use crate::loss::Loss;
use crate::nearness::Nearness;
use crate::network::ForwardPass;
use crate::regularizer::Regularizer;
use crate::target::Target;
use twolayer_core::{Bounds, Kinked, LinearBackend, RowStructured, Scalar};

/// An [`Inversion`], a [`DeepInversion`], or either.
#[derive(Debug)]
pub enum InversionRef<'p, B: LinearBackend> {
    /// Of two layers with ReLU.
    Two(&'p Inversion<'p, B>),
    /// Of any layers.
    Deep(&'p DeepInversion<'p, B>),
}

impl<'p, B: LinearBackend> From<&'p Inversion<'p, B>> for InversionRef<'p, B> {
    fn from(problem: &'p Inversion<'p, B>) -> Self {
        Self::Two(problem)
    }
}

impl<'p, B: LinearBackend> From<&'p DeepInversion<'p, B>> for InversionRef<'p, B> {
    fn from(problem: &'p DeepInversion<'p, B>) -> Self {
        Self::Deep(problem)
    }
}

impl<'p, B: LinearBackend> From<&'p AnyInversion<'p, B>> for InversionRef<'p, B> {
    fn from(problem: &'p AnyInversion<'p, B>) -> Self {
        match problem {
            AnyInversion::Two(problem) => Self::Two(problem),
            AnyInversion::Deep(problem) => Self::Deep(problem),
        }
    }
}

/// The terms of an objective.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'p, T: Scalar> {
    pub(super) loss: &'p dyn Loss<T>,
    pub(super) target: &'p Target<T>,
    pub(super) regularizer: Option<&'p Regularizer<T>>,
    pub(super) nearness: Option<&'p Nearness<T>>,
    pub(super) bounds: Option<&'p Bounds<T>>,
}

/// A problem whose answer can be differentiated.
pub(super) trait Differentiable: RowStructured + Kinked {
    /// m, the outcomes: the first rows.
    fn outcomes(&self) -> usize;

    fn terms(&self) -> Terms<'_, Self::Scalar>;

    /// Logits and output at a point.
    fn pass(at: &Self::Evaluation) -> &ForwardPass<Self::Scalar>;

    /// The layers at a point that was differentiated, where `multipliers` hold the kinks `pinned`. What is
    /// asked of the point afterwards (curvatures, jumps) is that of the objective with multiples of these hᵢ.
    fn links(
        &self,
        at: &mut Self::Evaluation,
        pinned: &[usize],
        multipliers: &[Self::Scalar],
    ) -> Vec<Link<'_, Self::Backend>>;
}

impl<B: LinearBackend> Differentiable for Inversion<'_, B> {
    fn outcomes(&self) -> usize {
        self.network().outcomes()
    }

    fn terms(&self) -> Terms<'_, B::Scalar> {
        Terms {
            loss: self.loss(),
            target: self.target(),
            regularizer: self.regularizer(),
            nearness: self.nearness(),
            bounds: self.bounds(),
        }
    }

    fn pass(at: &InversionPoint<B::Scalar>) -> &ForwardPass<B::Scalar> {
        at.forward_pass()
    }

    fn links(
        &self,
        at: &mut InversionPoint<B::Scalar>,
        pinned: &[usize],
        multipliers: &[B::Scalar],
    ) -> Vec<Link<'_, B>> {
        Self::links(self, at, pinned, multipliers)
    }
}

impl<B: LinearBackend> Differentiable for DeepInversion<'_, B> {
    fn outcomes(&self) -> usize {
        self.network().outcomes()
    }

    fn terms(&self) -> Terms<'_, B::Scalar> {
        Terms {
            loss: self.loss(),
            target: self.target(),
            regularizer: None,
            nearness: self.nearness(),
            bounds: self.bounds(),
        }
    }

    fn pass(at: &DeepPoint<B>) -> &ForwardPass<B::Scalar> {
        at.forward_pass()
    }

    fn links(
        &self,
        at: &mut DeepPoint<B>,
        pinned: &[usize],
        multipliers: &[B::Scalar],
    ) -> Vec<Link<'_, B>> {
        Self::links(self, at, pinned, multipliers)
    }
}
