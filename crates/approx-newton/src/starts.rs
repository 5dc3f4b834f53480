//! Where else a target may be started from: the solutions of its neighbours, then random points.

use crate::ball;
use crate::observer::Observer;
use crate::solution::Solution;
use crate::solver::Solver;
use crate::termination::Status;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::convert::Infallible;
use twolayer_core::{Error, HessianApprox, Kinked, Ladder, RowStructured, Scalar, reduce};

/// For each of some targets the nearest of others, by ‖b − b′‖.
#[derive(Debug, Clone)]
pub struct Neighbours {
    most: usize,
    /// Squared distance and number of the others, the nearest first.
    nearest: Vec<Vec<(f64, usize)>>,
}

impl Neighbours {
    /// At most `most` neighbours for each of `count` targets.
    pub fn new(count: usize, most: usize) -> Self {
        Self {
            most,
            nearest: vec![Vec::new(); count],
        }
    }

    /// Shows target number `which`, whose distribution is `b` (m), another one that has `other`.
    /// The order in which the others are shown does not matter.
    pub fn offer<T: Scalar>(&mut self, which: usize, b: &[T], number: usize, other: &[T]) {
        let square = |i: usize| (b[i].to_f64() - other[i].to_f64()).powi(2);
        let found = (reduce::sum_of(b.len(), square), number);
        let nearest = &mut self.nearest[which];
        let nearer = |at: &(f64, usize)| at.0.total_cmp(&found.0).then(at.1.cmp(&found.1)).is_lt();
        let place = nearest.partition_point(nearer);
        if place < self.most {
            nearest.insert(place, found);
            nearest.truncate(self.most);
        }
    }

    /// The others nearest to target number `which`, the nearest first.
    pub fn of(&self, which: usize) -> impl Iterator<Item = usize> + '_ {
        self.nearest[which].iter().map(|&(_, number)| number)
    }
}

/// Where the solutions of a network's targets lie: a mean and a width in each coordinate, from which
/// random starts are drawn.
#[derive(Debug, Clone)]
pub struct Cloud<T> {
    seed: u64,
    count: usize,
    sum: Vec<f64>,
    squares: Vec<f64>,
    /// Stands for the solutions where there are fewer than two.
    x0: Vec<T>,
}

impl<T: Scalar> Cloud<T> {
    /// No solutions yet, and a start `x0` (d) to draw around until there are some.
    pub fn new(seed: u64, x0: &[T]) -> Self {
        Self {
            seed,
            count: 0,
            sum: vec![0.0; x0.len()],
            squares: vec![0.0; x0.len()],
            x0: x0.to_vec(),
        }
    }

    /// Takes a solution in.
    pub fn add(&mut self, x: &[T]) {
        self.count += 1;
        for ((sum, square), x) in self
            .sum
            .iter_mut()
            .zip(&mut self.squares)
            .zip(x.iter().copied())
        {
            let x = x.to_f64();
            *sum += x;
            *square += x * x;
        }
    }

    /// Random start number `number` of target number `target`: the same whatever was drawn before.
    pub fn draw(&self, target: usize, number: usize) -> Vec<T> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(target as u64);
        let d = self.x0.len();
        random.set_word_pos(2 * (number as u128) * (d as u128));
        let count = self.count as f64;
        let size = reduce::norm(&self.x0).to_f64().max(1.0) / (d as f64).sqrt();
        // Uniform, with the width's variance.
        let reach = 3.0_f64.sqrt();
        (0..d)
            .map(|i| {
                let (mean, width) = if self.count < 2 {
                    (self.x0[i].to_f64(), size)
                } else {
                    let mean = self.sum[i] / count;
                    let variance = self.squares[i] / count - mean * mean;
                    (mean, variance.max(0.0).sqrt())
                };
                T::of(mean + width * random.random_range(-reach..reach))
            })
            .collect()
    }
}

/// What came out of one target of many.
#[derive(Debug, Clone, PartialEq)]
pub struct Solved<T> {
    /// The best of all starts.
    pub solution: Solution<T>,
    /// How many starts were tried.
    pub starts: usize,
}

/// What came out of further starts.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Further<T> {
    /// The best of them, where it is lower than what was there before.
    pub lower: Option<Solution<T>>,
    /// How many were tried to the end.
    pub starts: usize,
    /// Whether the observer ended it.
    pub is_stopped: bool,
    /// What was there before.
    loss: T,
}

impl<T: Scalar> Further<T> {
    /// None tried yet, where a solution of this loss is known.
    pub fn new(loss: T) -> Self {
        Self {
            lower: None,
            starts: 0,
            is_stopped: false,
            loss,
        }
    }

    /// Has `solve` solve from each of `starts`, but for as many as were tried before, until one is a
    /// perfect fit or is stopped, and keeps what is lower than all before. Starts outside the ball
    /// are moved into it; those that are no good, at which the objective overflows for one, count
    /// and are passed over.
    ///
    /// # Errors
    /// That of `solve` itself, which ends it.
    pub fn try_each<E>(
        &mut self,
        radius: Option<T>,
        starts: impl IntoIterator<Item = Vec<T>>,
        mut solve: impl FnMut(&Self, &[T]) -> Result<Result<Solution<T>, Error>, E>,
    ) -> Result<(), E> {
        for mut start in starts.into_iter().skip(self.starts) {
            if let Some(radius) = radius {
                ball::retract(radius, &mut start);
            }
            let solved = solve(self, &start)?;
            if let Ok(solution) = &solved
                && solution.status == Status::Stopped
            {
                self.is_stopped = true;
                break;
            }
            self.starts += 1;
            let Ok(solution) = solved else { continue };
            let fits = solution.status == Status::PerfectFit;
            let lowest = self.lower.as_ref().map_or(self.loss, |lower| lower.loss);
            if solution.loss < lowest {
                self.lower = Some(solution);
            }
            if fits {
                break;
            }
        }
        Ok(())
    }
}

impl<T: Scalar> Solver<T> {
    /// Solves from each of `starts`, as [`Further::try_each`] has it, and keeps what is lower than
    /// `loss`.
    pub fn solve_from_others<O, H>(
        &self,
        objective: &O,
        hessian: &mut H,
        loss: T,
        starts: impl IntoIterator<Item = Vec<T>>,
        observer: &mut impl Observer<T>,
    ) -> Further<T>
    where
        O: RowStructured<Scalar = T> + Kinked + Ladder,
        H: HessianApprox<O>,
    {
        let mut further = Further::new(loss);
        let radius = objective.radius();
        let Ok(()) = further.try_each(radius, starts, |_, start| {
            Ok::<_, Infallible>(self.solve_with(objective, hessian, start, observer))
        });
        further
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_the_nearest_in_any_order() {
        let others = [[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.6, 0.4], [0.0, 1.0]];
        for order in [[0, 1, 2, 3, 4], [4, 2, 0, 3, 1], [3, 1, 4, 0, 2]] {
            let mut neighbours = Neighbours::new(2, 3);
            for number in order {
                neighbours.offer(0, &[0.5, 0.5], number, &others[number]);
                neighbours.offer(1, &[1.0, 0.0], number, &others[number]);
            }
            // Two are equally near: the first of them comes first.
            assert_eq!(neighbours.of(0).collect::<Vec<_>>(), [2, 1, 3]);
            assert_eq!(neighbours.of(1).collect::<Vec<_>>(), [0, 3, 2]);
        }
    }

    #[test]
    fn starts_are_drawn_from_where_solutions_lie() {
        let mut cloud = Cloud::new(7, &[0.0, 0.0]);
        for k in 0..100 {
            cloud.add(&[5.0, f64::from(k % 2)]);
        }
        let draws: Vec<_> = (0..200).map(|number| cloud.draw(3, number)).collect();
        let mean = draws.iter().map(|x| x[1]).sum::<f64>() / 200.0;
        assert!(draws.iter().all(|x| x[0] == 5.0));
        // The standard error of the mean of 200 draws of width ½ is 0.035.
        assert!((mean - 0.5).abs() < 0.15, "{mean}");
        assert_ne!(draws[0], draws[1]);
        assert_ne!(draws[0], cloud.draw(4, 0));
        assert_eq!(draws[20], cloud.draw(3, 20));
    }
}
