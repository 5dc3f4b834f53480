//! A campaign over many targets: what it is to do.

use crate::any::NetworkRef;
use crate::many::crew::Crew;
use crate::many::posed::Whole;
use crate::many::problems::Problems;
use crate::row_space::RowSpace;
use approx_newton::Solver;
use twolayer_core::reduce::all_finite;
use twolayer_core::{Error, LinearBackend};

/// K targets of one network, to be solved on several threads: each from its own start, and those that
/// are not met from [other starts](Solver::with_starts) when all are through.
///
/// What comes out of a target from its own start depends on nothing but its b and x0, the network and
/// the settings: not on the other targets, their number or order, the threads, or whether the
/// campaign went on from where an earlier one stood; to the bit. What comes out of other starts
/// depends besides on *which* other targets are there, for the solutions of the nearest are starts and
/// random ones are drawn from where solutions lie, and on nothing else.
#[derive(Debug, Clone)]
pub struct Campaign<'c, B: LinearBackend> {
    pub(super) problems: Problems<'c, B>,
    pub(super) starts: &'c [B::Scalar],
    pub(super) targets: usize,
    pub(super) count: usize,
    pub(super) solver: Solver<B::Scalar>,
    /// None for one of the solver's threads. It is made when the work begins: where a solver does not say how many, the
    /// system is asked, which takes as long as a small solve.
    pub(super) crew: Option<Crew>,
    in_all_unknowns: bool,
}

impl<'c, B: LinearBackend> Campaign<'c, B> {
    /// So many `targets`, from `starts`: d numbers for all, or K·d. One target may have K starts, and
    /// is K problems then. No targets, or no starts, are no problems.
    ///
    /// # Errors
    /// Numbers of targets and starts that do not fit the network and each other.
    pub fn new(
        problems: Problems<'c, B>,
        targets: usize,
        starts: &'c [B::Scalar],
    ) -> Result<Self, Error> {
        let d = problems.network().inputs();
        let given = starts.len() / d;
        let count = if targets == 1 { given } else { targets };
        if starts.len() != given * d || (given != 1 && given != count) {
            return Err(Error::Shape {
                name: "starts",
                found: format!("({},)", starts.len()),
                expected: format!("{d} numbers, or {count}·{d}: one start for each target"),
            });
        }
        Ok(Self {
            crew: None,
            problems,
            starts,
            targets,
            count,
            solver: Solver::new(),
            in_all_unknowns: false,
        })
    }

    /// Has all problems solved in all d unknowns. Without this, those of a network with fewer hidden units
    /// than inputs (n < d), without a radius, bounds or nearness, are solved in n coordinates of A1's row space, all that the
    /// network sees of x: an owner's models and watches are then of that problem, and what of x no unit sees is in
    /// the answer what it was at the start.
    pub fn in_all_unknowns(self) -> Self {
        Self {
            in_all_unknowns: true,
            ..self
        }
    }

    /// How every target is solved, from how many starts, on how many threads and in which time. The
    /// default is [`Solver::new`].
    pub fn with_solver(self, solver: Solver<B::Scalar>) -> Self {
        Self {
            solver,
            crew: None,
            ..self
        }
    }

    /// Has the work done by another crew than the solver's threads make, one of fewer workers where
    /// each needs memory of its own.
    pub fn with_crew(self, crew: Crew) -> Self {
        Self {
            crew: Some(crew),
            ..self
        }
    }

    /// Who does the work.
    pub fn crew(&self) -> Crew {
        let of_the_solver = || Crew::new(self.solver.threads(), self.count);
        self.crew.unwrap_or_else(of_the_solver)
    }

    /// d.
    pub fn inputs(&self) -> usize {
        self.problems.network().inputs()
    }

    /// K.
    pub fn count(&self) -> usize {
        self.count
    }

    /// These `problems`, with what the network puts out at a start that all of them share. One that is no
    /// good is each target's own error.
    pub(super) fn share_start<'w>(
        &self,
        problems: Problems<'w, B>,
        whole: Option<&Whole<'w, B>>,
    ) -> Problems<'w, B> {
        if self.starts.len() != self.inputs() || self.count < 2 {
            return problems;
        }
        let shared = match whole {
            Some(whole) if all_finite(self.starts) => {
                let coordinates = whole.space.coordinates(whole.network, self.starts);
                problems.clone().with_shared_start(&coordinates)
            }
            _ => problems.clone().with_shared_start(self.starts),
        };
        shared.unwrap_or(problems)
    }

    /// The coordinates in which the problems are solved, where there are fewer than d.
    pub(super) fn row_space(&self, network: NetworkRef<'_, B>) -> Option<RowSpace<B>> {
        // In a ball or a box, and where a distance is a term, the part that no unit sees would count.
        let problems = &self.problems;
        let is_free = problems.radius().is_none() && problems.bounds().is_none();
        let may = !self.in_all_unknowns && is_free && problems.nearness().is_none();
        network.two_layers().filter(|_| may).and_then(RowSpace::of)
    }

    /// The problems.
    pub fn problems(&self) -> &Problems<'c, B> {
        &self.problems
    }

    /// x0 of a target (d), as it was given.
    pub fn start(&self, index: usize) -> &'c [B::Scalar] {
        let d = self.problems.network().inputs();
        let row = if self.starts.len() == d { 0 } else { index };
        &self.starts[row * d..][..d]
    }

    /// Which row of the targets is that of a problem.
    pub fn row(&self, index: usize) -> usize {
        if self.targets == 1 { 0 } else { index }
    }
}
