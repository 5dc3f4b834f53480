//! One source of starts after another.

use twolayer_core::{Scalar, Starts};

/// A first source that is asked once, and a second one for all further starts.
pub(crate) struct ChainedStarts<'s, T> {
    first: Box<dyn Starts<T> + 's>,
    second: Box<dyn Starts<T> + 's>,
    first_is_over: bool,
}

impl<'s, T> ChainedStarts<'s, T> {
    pub(crate) fn new(first: Box<dyn Starts<T> + 's>, second: Box<dyn Starts<T> + 's>) -> Self {
        Self {
            first,
            second,
            first_is_over: false,
        }
    }
}

impl<T: Scalar> Starts<T> for ChainedStarts<'_, T> {
    fn begin(&mut self, x: &[T]) {
        self.first_is_over = false;
        self.first.begin(x);
        self.second.begin(x);
    }

    fn is_always_worth_it(&self) -> bool {
        match self.first_is_over {
            true => self.second.is_always_worth_it(),
            false => self.first.is_always_worth_it(),
        }
    }

    fn advance(&mut self, iterations: usize, x: &mut [T]) {
        match self.first_is_over {
            true => self.second.advance(iterations, x),
            false => self.first.advance(iterations, x),
        }
        self.first_is_over = true;
    }

    /// Which of them is next, and the states of both.
    fn state(&self) -> Vec<T> {
        let over = if self.first_is_over {
            T::one()
        } else {
            T::zero()
        };
        [vec![over], self.first.state(), self.second.state()].concat()
    }

    fn restore(&mut self, state: &[T]) -> bool {
        let length = self.first.state().len();
        let Some((&over, states)) = state.split_first() else {
            return false;
        };
        let Some((first, second)) = states.split_at_checked(length) else {
            return false;
        };
        if ![T::zero(), T::one()].contains(&over) || !self.second.restore(second) {
            return false;
        }
        self.first_is_over = over == T::one();
        self.first.restore(first)
    }
}
