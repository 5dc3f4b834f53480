//! What many targets of one network share.

use crate::any::{AnyInversion, NetworkRef};
use crate::deep::DeepInversion;
use crate::inversion::Inversion;
use crate::inversion::{KnownPoint, domain};
use crate::loss::{Loss, SquaredError};
use crate::nearness::Nearness;
use crate::network::ForwardPass;
use crate::number_format::NumberFormat;
use crate::regularizer::Regularizer;
use crate::row_space::RowSpace;
use crate::starts::shared::Shared;
use crate::starts::splitting::first_bursts;
use crate::target::Target;
use std::borrow::Cow;
use std::sync::Arc;
use twolayer_core::{Bounds, Error, LinearBackend};

/// So many targets are worth what is made once for all of them ([`Problems::for_many`]).
pub const MANY: usize = 8;

/// An [`Inversion`] without its target: [`inversion`](Problems::inversion) makes one for each.
///
/// Copies are cheap, and [`on`](Problems::on) takes the problems to a network on other threads.
#[derive(Debug)]
pub struct Problems<'a, B: LinearBackend> {
    network: NetworkRef<'a, B>,
    loss: &'a dyn Loss<B::Scalar>,
    regularizer: Option<&'a Regularizer<B::Scalar>>,
    radius: Option<B::Scalar>,
    bounds: Option<&'a Bounds<B::Scalar>>,
    nearness: Option<&'a Nearness<B::Scalar>>,
    known: Option<Arc<KnownPoint<B::Scalar>>>,
    are_many: bool,
    stored_as: Option<NumberFormat>,
    shared: Shared<B>,
}

// Not derived: a copy of the references asks nothing of the backend.
impl<B: LinearBackend> Clone for Problems<'_, B> {
    fn clone(&self) -> Self {
        Self {
            known: self.known.clone(),
            shared: self.shared.clone(),
            ..*self
        }
    }
}

impl<'a, B: LinearBackend> Problems<'a, B> {
    /// The squared loss, without regulariser, radius or bounds.
    pub fn new(network: impl Into<NetworkRef<'a, B>>) -> Self {
        Self {
            network: network.into(),
            loss: &SquaredError,
            regularizer: None,
            radius: None,
            bounds: None,
            nearness: None,
            known: None,
            are_many: false,
            stored_as: None,
            shared: Shared::default(),
        }
    }

    /// Says that the targets are so many that what is made once for all of them costs nothing: each
    /// solve then begins from where a splitting of the two layers leads, for which a single one
    /// would not factor their Gram matrices before it has tried without. A target that the network
    /// can produce is met either way, and in fewer iterations this way.
    pub fn for_many(self) -> Self {
        Self {
            are_many: true,
            ..self
        }
    }

    /// The same problems with targets that may have been stored in a format ([`Target::stored_as`]); they are taken
    /// as they are where nothing is said.
    pub fn with_targets_stored_as(self, format: NumberFormat) -> Self {
        Self {
            stored_as: Some(format),
            ..self
        }
    }

    /// The same problems with another loss.
    pub fn with_loss(self, loss: &'a dyn Loss<B::Scalar>) -> Self {
        Self { loss, ..self }
    }

    /// The same problems with a regulariser.
    ///
    /// # Errors
    /// A regulariser with other than m weights; a network that is not of two layers with ReLU.
    pub fn with_regularizer(self, regularizer: &'a Regularizer<B::Scalar>) -> Result<Self, Error> {
        if self.network.two_layers().is_none() {
            return Err(Error::OnlyTwoLayers {
                what: "a regulariser",
            });
        }
        Error::check_length("w", regularizer.weights().len(), self.network.outcomes())?;
        Ok(Self {
            regularizer: Some(regularizer),
            ..self
        })
    }

    /// The same problems over the ball ‖x‖ ≤ `radius`.
    ///
    /// # Errors
    /// A radius that is not a positive number, or within which no x within the bounds lies.
    pub fn with_radius(self, radius: B::Scalar) -> Result<Self, Error> {
        domain::check_radius(radius)?;
        domain::check(self.bounds, Some(radius))?;
        Ok(Self {
            radius: Some(radius),
            ..self
        })
    }

    /// The same problems over the x within `bounds` (see [`Inversion::with_bounds`]).
    ///
    /// # Errors
    /// Bounds of other than d entries, or within which no x lies in the ball.
    pub fn with_bounds(self, bounds: &'a Bounds<B::Scalar>) -> Result<Self, Error> {
        Error::check_length("lower", bounds.lower().len(), self.network.inputs())?;
        domain::check(Some(bounds), self.radius)?;
        Ok(Self {
            bounds: Some(bounds),
            ..self
        })
    }

    /// The same problems with a term for how far x is from a point.
    ///
    /// # Errors
    /// One of other than d entries.
    pub fn with_nearness(self, nearness: &'a Nearness<B::Scalar>) -> Result<Self, Error> {
        Error::check_length("x_ref", nearness.reference().len(), self.network.inputs())?;
        Ok(Self {
            nearness: Some(nearness),
            ..self
        })
    }

    /// Runs a network of two layers at a point where many of the problems will be evaluated, a start that they
    /// share: they then take its output from here, to the same bits, and A2 is not read for it.
    ///
    /// # Errors
    /// A point of the wrong length, or with an entry that is NaN or infinite.
    pub fn with_shared_start(self, x0: &[B::Scalar]) -> Result<Self, Error> {
        Error::check_length("x0", x0.len(), self.network.inputs())?;
        Error::check_finite("x0", x0)?;
        let Some(network) = self.network.two_layers() else {
            return Ok(self);
        };
        let mut x = x0.to_vec();
        if let Some(bounds) = self.bounds {
            bounds.confine(std::iter::empty(), self.radius, &mut x);
        }
        let mut pass = ForwardPass::new(network.hidden_units(), network.outcomes());
        network.forward(&x, &[], &mut pass);
        Ok(Self {
            known: Some(Arc::new(KnownPoint { x, pass })),
            ..self
        })
    }

    /// The same problems on a copy of the network (see [`NetworkRef::with_threads`]).
    pub fn on<'b>(&self, network: impl Into<NetworkRef<'b, B>>) -> Problems<'b, B>
    where
        'a: 'b,
    {
        Problems {
            network: network.into(),
            shared: self.shared.on_other_threads(),
            ..self.clone()
        }
    }

    /// The same problems in the coordinates of the row space of A1.
    pub(crate) fn in_row_space<'b>(&self, space: &'b RowSpace<B>) -> Problems<'b, B>
    where
        'a: 'b,
    {
        Problems {
            network: space.network().into(),
            known: None,
            shared: Shared::default(),
            ..self.clone()
        }
    }

    /// A target of these problems.
    ///
    /// # Errors
    /// As [`Target::stored_as`], and a target with other than m outcomes, or with a probability of one that is
    /// masked.
    pub fn target(&self, b: Vec<B::Scalar>) -> Result<Target<B::Scalar>, Error> {
        Error::check_length("b", b.len(), self.network.outcomes())?;
        let target = match self.stored_as {
            Some(format) => Target::stored_as(b, format),
            None => Target::new(b),
        }?;
        self.network.check_target(&target)?;
        Ok(target)
    }

    /// The problem of one target.
    ///
    /// # Errors
    /// A target with other than m outcomes, or with a probability of one that is masked.
    pub fn inversion(&self, target: Target<B::Scalar>) -> Result<AnyInversion<'a, B>, Error> {
        self.network.check_target(&target)?;
        let network = match self.network {
            NetworkRef::Two(network) => network,
            NetworkRef::Deep(network) => {
                let problem = DeepInversion::of_owned(network, target).with_loss(self.loss);
                let problem = match self.radius {
                    Some(radius) => problem.with_radius(radius)?,
                    None => problem,
                };
                let problem = match self.bounds {
                    Some(bounds) => problem.with_bounds(bounds)?,
                    None => problem,
                };
                let problem = match self.nearness {
                    Some(nearness) => problem.with_nearness(nearness)?,
                    None => problem,
                };
                return Ok(AnyInversion::Deep(problem));
            }
        };
        Ok(AnyInversion::Two(Inversion {
            network,
            target: Cow::Owned(target),
            loss: self.loss,
            regularizer: self.regularizer,
            radius: self.radius,
            bounds: self.bounds,
            nearness: self.nearness,
            known: self.known.clone(),
            reached: None,
            is_one_of_many: self.are_many,
            shared: self.shared.clone(),
        }))
    }

    /// Computes together what the solves of some of these problems begin with, each from its start
    /// (d): the splittings of [`for_many`](Problems::for_many), in matrix products. A solve from that
    /// start then finds it done. It would do it by itself to the same bits, whatever problems are
    /// here together, but one takes as long alone as
    /// [`TOGETHER`](crate::TOGETHER) of them do. A start of another length is left for the solve
    /// to refuse.
    pub fn begin_together<'i>(
        &self,
        solves: impl IntoIterator<Item = (&'i mut AnyInversion<'a, B>, &'i [B::Scalar])>,
    ) where
        'a: 'i,
        B: 'i,
    {
        let Some(network) = self.network.two_layers() else {
            return;
        };
        // The others begin without a splitting.
        if !self.are_many || self.regularizer.is_some() || self.shared.few(network).is_none() {
            return;
        }
        let d = network.inputs();
        let (mut inversions, starts): (Vec<_>, Vec<_>) = solves
            .into_iter()
            .filter(|(_, start)| start.len() == d)
            .filter_map(|(inversion, start)| match inversion {
                AnyInversion::Two(inversion) => Some((inversion, start)),
                AnyInversion::Deep(_) => None,
            })
            .unzip();
        let targets = inversions.iter().map(|inversion| inversion.target());
        let targets: Vec<_> = targets.zip(starts).collect();
        let Some(lift) = self.shared.lift(network) else {
            return;
        };
        let reached = first_bursts(network, lift, &targets);
        for (inversion, reached) in inversions.iter_mut().zip(reached) {
            inversion.reached = reached.map(Arc::new);
        }
    }

    /// The network.
    pub fn network(&self) -> NetworkRef<'a, B> {
        self.network
    }

    /// The loss.
    pub fn loss(&self) -> &'a dyn Loss<B::Scalar> {
        self.loss
    }

    /// The regulariser.
    pub fn regularizer(&self) -> Option<&'a Regularizer<B::Scalar>> {
        self.regularizer
    }

    /// R, where there is one.
    pub fn radius(&self) -> Option<B::Scalar> {
        self.radius
    }

    /// The term for how far x is from a point, where there is one.
    pub fn nearness(&self) -> Option<&'a Nearness<B::Scalar>> {
        self.nearness
    }

    /// The bounds, where there are some.
    pub fn bounds(&self) -> Option<&'a Bounds<B::Scalar>> {
        self.bounds
    }
}
