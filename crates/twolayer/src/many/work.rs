//! A campaign under way: what its workers share, and what each has.

use crate::any::AnyInversion;
use crate::many::campaign::Campaign;
use crate::many::crew::Seat;
use crate::many::further::Further;
use crate::many::owner::{Model, Owner};
use crate::many::posed::{Posed, Whole};
use crate::many::problems::Problems;
use crate::many::solved::BatchResult;
use crate::row_space::RowSpace;
use approx_newton::{Run, Solver};
use std::borrow::Cow;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use twolayer_core::{Error, LinearBackend};

/// What all workers share. The problems are on the threads of a worker.
pub(super) struct Work<'w, B: LinearBackend, O> {
    pub(super) campaign: &'w Campaign<'w, B>,
    pub(super) owner: &'w O,
    /// As they are solved.
    pub(super) problems: Problems<'w, B>,
    /// As they were given, where they are solved in fewer unknowns.
    pub(super) whole: Option<Whole<'w, B>>,
    deadline: Option<Instant>,
    has_failed: AtomicBool,
}

/// A worker's own: the buffers of its model of the Hessian.
pub(super) struct Worker<'w, B: LinearBackend> {
    model: Option<Model<'w, B>>,
}

/// What keeps a target from having an answer.
pub(super) enum Trouble<F> {
    /// It is no good.
    Target(Error),
    /// The campaign cannot go on.
    Campaign(F),
}

impl<F> From<Error> for Trouble<F> {
    fn from(error: Error) -> Self {
        Self::Target(error)
    }
}

/// A solve that is driven step by step.
pub(super) type Steps<'r, 'w, B> = Run<'r, AnyInversion<'w, B>, Model<'w, B>>;

impl<'w, B: LinearBackend, O: Owner<B>> Work<'w, B, O> {
    /// Work on `problems`, in the unknowns of the row `space` where there is one.
    pub(super) fn new(
        campaign: &'w Campaign<'w, B>,
        owner: &'w O,
        problems: Problems<'w, B>,
        space: Option<&'w RowSpace<B>>,
    ) -> Self {
        let limit = campaign.solver.time_limit();
        let narrow = space.zip(problems.network().two_layers());
        let (problems, whole) = match narrow {
            Some((space, network)) => {
                let narrow = problems.in_row_space(space);
                let whole = Whole {
                    problems,
                    network,
                    space,
                };
                (campaign.share_start(narrow, Some(&whole)), Some(whole))
            }
            None => (campaign.share_start(problems, None), None),
        };
        Self {
            campaign,
            owner,
            problems,
            whole,
            // A moment that no clock will come to is none.
            deadline: limit.and_then(|limit| Instant::now().checked_add(limit)),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Whether what is under way is to be dropped.
    pub(super) fn is_stopped(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed) || self.owner.is_stopped()
    }

    /// Whether nothing more is to begin.
    pub(super) fn is_over(&self) -> bool {
        let is_late = |deadline| Instant::now() >= deadline;
        self.is_stopped() || self.deadline.is_some_and(is_late)
    }

    /// The settings of a solve that begins now.
    pub(super) fn solver(&self) -> Solver<B::Scalar> {
        let solver = self.campaign.solver.clone();
        match self.deadline {
            Some(deadline) => {
                solver.with_time_limit(deadline.saturating_duration_since(Instant::now()))
            }
            None => solver,
        }
    }

    /// b of a problem, as the owner has it.
    pub(super) fn row(&self, index: usize) -> Result<Cow<'w, [B::Scalar]>, O::Failure> {
        self.owner.row(self.campaign.row(index))
    }

    /// The problem of a target.
    pub(super) fn pose(&self, index: usize) -> Result<Posed<'w, B>, Trouble<O::Failure>> {
        let row = self.row(index).map_err(Trouble::Campaign)?;
        let target = self.problems.target(row.into_owned())?;
        let whole = self.whole.as_ref();
        let whole = whole.map(|whole| whole.problems.inversion(target.clone()));
        Ok(Posed {
            whole: whole.transpose()?,
            objective: self.problems.inversion(target)?,
        })
    }

    /// What takes the place of the answer of a target that has none; an error where the owner does
    /// not want to go on.
    pub(super) fn refused(
        &self,
        index: usize,
        trouble: Trouble<O::Failure>,
    ) -> Result<BatchResult<B::Scalar>, O::Failure> {
        match trouble {
            Trouble::Target(error) => self.owner.refuse(index, &error).map(|()| Err(error)),
            Trouble::Campaign(failure) => Err(failure),
        }
    }

    /// Has the workers do `job` until nothing is left, and the results handed to `deliver`, in order.
    /// The first failure ends it.
    pub(super) fn share_out<R: Send>(
        &self,
        items: Range<usize>,
        job: impl Fn(&mut Worker<'w, B>, &dyn Seat<R>) -> Result<(), O::Failure> + Sync,
        deliver: impl FnMut(usize, R) -> ControlFlow<()>,
    ) -> Result<(), O::Failure> {
        let failure = Mutex::new(None);
        let work = |seat: &dyn Seat<R>| {
            if let Err(error) = job(&mut Worker { model: None }, seat) {
                self.has_failed.store(true, Ordering::Relaxed);
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
            }
        };
        self.campaign.crew().share_out(items, work, deliver);
        let failure = failure.into_inner();
        let failure = failure.unwrap_or_else(PoisonError::into_inner);
        failure.map_or(Ok(()), Err)
    }

    /// Steps to the end, and has the state kept whenever there is one to go on from.
    pub(super) fn drive(
        &self,
        run: &mut Steps<'_, 'w, B>,
        index: usize,
        watch: &mut O::Watch,
        others: Option<&Further<B::Scalar>>,
    ) -> Result<(), Trouble<O::Failure>> {
        while run.step(watch).is_none() {
            if self.owner.keeps_states()
                && let Some(snapshot) = run.snapshot()
            {
                let kept = self.owner.keep(index, snapshot, watch, others);
                kept.map_err(Trouble::Campaign)?;
            }
        }
        Ok(())
    }
}

impl<'w, B: LinearBackend> Worker<'w, B> {
    /// The model of the Hessian, made for the worker's first target and used for all, unless it
    /// serves one only.
    pub(super) fn model<O: Owner<B>>(
        &mut self,
        owner: &'w O,
        objective: &AnyInversion<'w, B>,
    ) -> Result<&mut Model<'w, B>, Error> {
        let kept = self.model.take();
        let model = match kept.filter(|_| !owner.models_serve_one()) {
            Some(model) => model,
            None => owner.model(objective)?,
        };
        Ok(self.model.insert(model))
    }
}
