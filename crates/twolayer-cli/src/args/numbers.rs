//! Numbers of the command line.

use std::time::Duration;

pub(super) fn at_least_zero(text: &str) -> Result<f64, String> {
    finite(text)
        .filter(|&value| value >= 0.0)
        .ok_or("expected a number of at least 0".into())
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    finite(text)
        .filter(|&value| value > 0.0)
        .ok_or("expected a number greater than 0".into())
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = finite(text).filter(|&value| value > 0.0);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or("expected a number of seconds greater than 0".into())
}

pub(super) fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

pub(super) fn tolerance(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value| (0.0..1.0).contains(value));
    value.ok_or_else(|| "expected a number from 0 to below 1".into())
}

pub(super) fn probability(text: &str) -> Result<f64, String> {
    finite(text)
        .filter(|&value| value > 0.0 && value < 1.0)
        .ok_or("expected a number between 0 and 1".into())
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&n| n > 0)
        .ok_or("expected a whole number of at least 1".into())
}
