//! A source of starts that is made when it is first asked.

use twolayer_core::{Scalar, Starts};

/// Makes the source; `None` where it cannot be made.
type Make<'s, S> = Box<dyn Fn() -> Option<S> + 's>;

/// A source whose making costs more than a descent: most solves never ask for a second start.
pub(crate) struct Deferred<'s, T, S> {
    make: Make<'s, S>,
    source: Option<S>,
    start: Vec<T>,
}

impl<'s, T: Scalar, S: Starts<T>> Deferred<'s, T, S> {
    /// Of starts with d entries.
    pub(crate) fn new(dimension: usize, make: impl Fn() -> Option<S> + 's) -> Self {
        Self {
            make: Box::new(make),
            source: None,
            start: vec![T::zero(); dimension],
        }
    }
}

impl<T: Scalar, S: Starts<T>> Starts<T> for Deferred<'_, T, S> {
    fn begin(&mut self, x: &[T]) {
        self.start.copy_from_slice(x);
        if let Some(source) = &mut self.source {
            source.begin(x);
        }
    }

    fn is_always_worth_it(&self) -> bool {
        self.source.as_ref().is_some_and(S::is_always_worth_it)
    }

    fn advance(&mut self, iterations: usize, x: &mut [T]) {
        if self.source.is_none() {
            self.source = (self.make)();
            if let Some(source) = &mut self.source {
                source.begin(&self.start);
            }
        }
        match &mut self.source {
            Some(source) => source.advance(iterations, x),
            // No start.
            None => x.fill(T::nan()),
        }
    }

    /// Nothing where it was not asked yet, but where it begins.
    fn state(&self) -> Vec<T> {
        let is_made = T::of(f64::from(u8::from(self.source.is_some())));
        let state = match &self.source {
            Some(source) => source.state(),
            None => self.start.clone(),
        };
        [vec![is_made], state].concat()
    }

    fn restore(&mut self, state: &[T]) -> bool {
        let Some((&is_made, state)) = state.split_first() else {
            return false;
        };
        if is_made == T::zero() {
            let fits = state.len() == self.start.len();
            if fits {
                self.source = None;
                self.start.copy_from_slice(state);
            }
            return fits;
        }
        let Some(mut source) = (self.make)() else {
            return false;
        };
        let is_one = is_made == T::one() && source.restore(state);
        if is_one {
            self.source = Some(source);
        }
        is_one
    }
}
