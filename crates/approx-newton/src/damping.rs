//! The ridge ν that is added to H̃, adapted by how well the model predicts.

use twolayer_core::Scalar;

/// A ridge is light up to this part of the model's mean eigenvalue.
pub(crate) const LIGHT: f64 = 1e-4;

/// ν of the damped step (H̃ + νI) p = −g, by Nielsen's rule (H. B. Nielsen, "Damping parameter in
/// Marquardt's method", 1999): a good step divides ν smoothly by up to ten, each refusal in a row
/// multiplies it by a factor that doubles. A step inside a cell that divides the value by more than ten
/// may divide ν by as much: where the value is a square ‖F‖² and the solution has the value zero,
/// convergence is quadratic with ν as large as the value (N. Yamashita and M. Fukushima, "On the rate of
/// convergence of the Levenberg–Marquardt method", 2001), while ν that falls by ten at a time lets each
/// step gain one digit more than the last.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Damping<T> {
    value: T,
    growth: T,
}

impl<T: Scalar> Damping<T> {
    /// ν = `relative` · `mean_eigenvalue` of the first model.
    pub(crate) fn new(relative: f64, mean_eigenvalue: T) -> Self {
        let value = (T::of(relative) * mean_eigenvalue).max(T::min_positive_value());
        Self {
            value,
            growth: T::of(2.0),
        }
    }

    pub(crate) fn value(&self) -> T {
        self.value
    }

    /// Keeps ν above what the factorisation can tell from nothing: (1000 roundoffs)² of the mean
    /// eigenvalue, below which a singular direction of J is noise.
    pub(crate) fn keep_above_noise(&mut self, mean_eigenvalue: T) {
        let noise = (T::of(1e3) * T::UNIT_ROUNDOFF).powi(2) * mean_eigenvalue;
        self.value = self.value.max(noise).max(T::min_positive_value());
    }

    /// After a full step whose decrease was `gain` times the predicted one, and that left the part
    /// `left` of the value; 1 where that is not to count.
    pub(crate) fn reward(&mut self, gain: T, left: T) {
        let factor = T::one() - (T::of(2.0) * gain - T::one()).powi(3);
        let least = T::of(0.1).min(left).max(T::zero());
        self.value *= factor.max(least).min(T::of(2.0));
        self.value = self.value.max(T::min_positive_value());
        self.growth = T::of(2.0);
    }

    /// After a step that was taken, but gave much less than predicted.
    pub(crate) fn nudge(&mut self) {
        self.value *= T::of(2.0);
    }

    /// After a step that was refused.
    pub(crate) fn punish(&mut self) {
        self.value *= self.growth;
        self.growth *= T::of(2.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_grow_it_faster_and_faster_and_successes_shrink_it() {
        let mut damping = Damping::new(1.0, 1.0_f64);
        damping.punish();
        damping.punish();
        assert_eq!(damping.value(), 8.0);
        damping.reward(1.0, 0.5);
        assert_eq!(damping.value(), 0.8);
        damping.punish();
        assert_eq!(damping.value(), 1.6);
        damping.reward(0.5, 0.5);
        assert_eq!(damping.value(), 1.6);
        // 2, 4, 8.
        for _ in 0..3 {
            damping.punish();
        }
        assert_eq!(damping.value(), 1.6 * 64.0);
    }

    #[test]
    fn it_falls_with_the_value_and_stays_positive() {
        let after = |gain, left| {
            let mut damping = Damping::new(1.0, 1.0_f64);
            damping.reward(gain, left);
            damping.value()
        };
        assert_eq!(after(1.0, 0.015625), 0.015625);
        assert_eq!(after(1.0, 0.5), 0.1);
        assert_eq!(after(1.25, 3.0), 0.1);
        assert_eq!(after(0.5, 0.015625), 1.0);
        assert_eq!(after(1.0, f64::NAN), 0.1);
        for left in [0.0, -1e-30] {
            assert_eq!(after(1.25, left), f64::MIN_POSITIVE);
        }
    }

    #[test]
    fn it_begins_in_units_of_the_mean_eigenvalue() {
        assert_eq!(Damping::new(1e-3, 4.0_f64).value(), 4e-3);
        assert_eq!(Damping::new(1e-3, 0.0_f64).value(), f64::MIN_POSITIVE);
        let mut damping = Damping::new(1.0, 3.0_f64);
        damping.nudge();
        assert_eq!(damping.value(), 6.0);
        // A nudge is no refusal: the next one still doubles.
        damping.punish();
        assert_eq!(damping.value(), 12.0);
    }

    /// (1000 roundoffs)² of the mean eigenvalue, in either precision.
    #[test]
    fn it_stays_above_noise() {
        let mut damping = Damping::new(1.0, 1e-30_f64);
        damping.keep_above_noise(2.0);
        assert!((damping.value() / (2.0 * (1e3 * 2.0_f64.powi(-53)).powi(2)) - 1.0).abs() < 1e-15);
        let mut damping = Damping::new(1.0, 1e-30_f32);
        damping.keep_above_noise(2.0);
        assert!((damping.value() / (2.0 * (1e3 * 2.0_f32.powi(-24)).powi(2)) - 1.0).abs() < 1e-6);
        for (value, mean) in [(1.0, 2.0), (1e-20, 1e-3)] {
            let mut damping = Damping::new(1.0, value);
            damping.keep_above_noise(mean);
            assert_eq!(damping.value(), value);
        }
        let mut damping = Damping::new(1.0, 0.0_f64);
        damping.keep_above_noise(0.0);
        assert_eq!(damping.value(), f64::MIN_POSITIVE);
    }

    /// A bad step doubles it at most, and any step that is rewarded begins the growth anew.
    #[test]
    fn a_reward_is_at_most_a_doubling() {
        let mut damping = Damping::new(1.0, 1.0_f64);
        damping.punish();
        damping.punish();
        damping.reward(-1.0, 1.0);
        assert_eq!(damping.value(), 16.0);
        damping.punish();
        assert_eq!(damping.value(), 32.0);
        // 1 − (2·¾ − 1)³ = ⅞.
        damping.reward(0.75, 1.0);
        assert_eq!(damping.value(), 28.0);
    }
}
