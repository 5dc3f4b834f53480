//! What a campaign asks of whoever runs it.

use crate::any::{AnyInversion, AnyPoint};
use crate::many::further::Further;
use crate::many::solved::{BatchResult, Solved};
use approx_newton::{Observer, Snapshot};
use std::borrow::Cow;
use twolayer_core::{Error, HessianApprox, LinearBackend, Scalar};

/// A model of the Hessian, whichever.
pub type Model<'w, B> = Box<dyn HessianApprox<AnyInversion<'w, B>> + 'w>;

/// Who runs a [`Campaign`](crate::Campaign): where its targets come from, how they are solved, what is
/// kept of it all, and when to stop. All workers share it.
///
/// Three methods have to be there; the others are for owners who keep more than the results.
pub trait Owner<B: LinearBackend>: Sync {
    /// What ends the campaign: a file that cannot be read or written.
    type Failure: Send;

    /// Watches a solve, and may stop it.
    type Watch: Observer<B::Scalar>;

    /// Row `index` of the targets: b (m), checked or not.
    ///
    /// # Errors
    /// A row that cannot be read.
    fn row(&self, index: usize) -> Result<Cow<'_, [B::Scalar]>, Self::Failure>;

    /// A model of the Hessian for an objective, to be used for others of the same network too unless
    /// it [serves one only](Owner::models_serve_one).
    ///
    /// # Errors
    /// A target that such a model cannot be made for.
    fn model<'w>(&'w self, objective: &AnyInversion<'w, B>) -> Result<Model<'w, B>, Error>;

    /// Whether every objective needs a model of its own.
    fn models_serve_one(&self) -> bool {
        false
    }

    /// Watches the solve of a target from `start` (d).
    fn watch(&self, start: &[B::Scalar]) -> Self::Watch;

    /// Whether no other solve is to begin. What is under way is stopped by its watch.
    fn is_stopped(&self) -> bool {
        false
    }

    /// Is told that a target, or its start, is no good. With `Ok` the error takes the place of the
    /// target's answer, and the others are solved.
    ///
    /// # Errors
    /// With one the campaign ends.
    fn refuse(&self, index: usize, error: &Error) -> Result<(), Self::Failure> {
        let _ = (index, error);
        Ok(())
    }

    /// What an earlier campaign has left of a target in this round. It is asked once for each.
    fn earlier(&self, index: usize, round: Round) -> Option<Earlier<B::Scalar, Self::Watch>> {
        let _ = (index, round);
        None
    }

    /// Whether [`keep`](Owner::keep) is to be called.
    fn keeps_states(&self) -> bool {
        false
    }

    /// Is handed the state of a solve whenever there is one that it can go on from, and what came of
    /// other starts before, where it is from one of these.
    ///
    /// # Errors
    /// A state that cannot be kept.
    fn keep(
        &self,
        index: usize,
        snapshot: Snapshot<B::Scalar>,
        watch: &Self::Watch,
        others: Option<&Further<B::Scalar>>,
    ) -> Result<(), Self::Failure> {
        let _ = (index, snapshot, watch, others);
        Ok(())
    }

    /// Is shown what came out of a target by the worker who solved it, and may leave parts of it out,
    /// such as its trace.
    ///
    /// # Errors
    /// What follows from an answer cannot be had or kept.
    fn answered(
        &self,
        answer: Answer<'_, '_, B, Self::Watch>,
        solved: &mut Solved<B::Scalar>,
    ) -> Result<(), Self::Failure> {
        let _ = (answer, solved);
        Ok(())
    }

    /// Is shown where the campaign stands, by the calling thread.
    fn progress(&self, progress: Progress<'_, B::Scalar>) {
        let _ = progress;
    }
}

/// From which starts a target is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Round {
    /// From its own.
    First,
    /// From others too.
    Others,
}

/// What an earlier campaign has left of a target.
#[derive(Debug)]
pub enum Earlier<T, W> {
    /// What came out of it. In the second round it may have been tried from fewer starts than are
    /// wanted now: it is then tried from the others.
    Solved(Solved<T>),
    /// Where its solve stood.
    UnderWay(Box<UnderWay<T, W>>),
}

/// A solve that is not over.
#[derive(Debug)]
pub struct UnderWay<T, W> {
    /// Where it stands.
    pub snapshot: Snapshot<T>,
    /// Who watches it.
    pub watch: W,
    /// What came of other starts before, where it is from one of these.
    pub others: Option<Further<T>>,
}

/// A target that was solved, with what its worker has at hand.
pub struct Answer<'a, 'w, B: LinearBackend, W> {
    /// The target's number.
    pub index: usize,
    /// Its problem.
    pub objective: &'a AnyInversion<'w, B>,
    /// How x was found.
    pub origin: Origin<'a, 'w, B, W>,
    /// Whether the round came to its end for the target; where it was cut short, it might go on.
    pub is_final: bool,
}

/// How an answer was found.
pub enum Origin<'a, 'w, B: LinearBackend, W> {
    /// By an earlier campaign.
    Earlier,
    /// From the target's own start.
    OwnStart {
        /// The model of the Hessian.
        model: &'a mut Model<'w, B>,
        /// Who has watched the solve.
        watch: &'a W,
        /// The state of the objective at x, no kink held.
        at: &'a AnyPoint<B>,
    },
    /// From another start, which was better than all before.
    OtherStart,
    /// In the round before: no other start was better.
    NoOtherStart,
}

/// Where a campaign stands.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'p, T: Scalar> {
    /// A round of so many targets begins.
    Begins(Round, usize),
    /// The next target of the round is through, in their order.
    Through(Round, usize, &'p BatchResult<T>),
    /// The round is over.
    Ends(Round),
}
