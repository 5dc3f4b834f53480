//! The nearest of some targets.

use twolayer_core::{Scalar, reduce};

/// For each of some targets the nearest of others, by ‖b − b′‖.
#[derive(Debug, Clone)]
pub(super) struct Neighbours {
    most: usize,
    /// Squared distance and number of the others, the nearest first.
    nearest: Vec<Vec<(f64, usize)>>,
}

impl Neighbours {
    /// At most `most` neighbours for each of `count` targets.
    pub(super) fn new(count: usize, most: usize) -> Self {
        Self {
            most,
            nearest: vec![Vec::new(); count],
        }
    }

    /// Shows target number `which`, whose distribution is `b` (m), another one that has `other`.
    /// The order in which the others are shown does not matter: of two as near as each other that of
    /// the lower `number` comes first.
    pub(super) fn offer<T: Scalar>(&mut self, which: usize, b: &[T], number: usize, other: &[T]) {
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

    /// The others nearest to each target, the nearest first.
    pub(super) fn into_numbers(self) -> Vec<Vec<usize>> {
        let numbers = |nearest: Vec<(f64, usize)>| nearest.into_iter().map(|found| found.1);
        let all = self.nearest.into_iter();
        all.map(|nearest| numbers(nearest).collect()).collect()
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
            assert_eq!(neighbours.into_numbers(), [[2, 1, 3], [0, 3, 2]]);
        }
    }
}
