//! What figures were measured on.

use super::copying::{LENGTH, copy_on_all_cores};
use crate::tables::median;
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::thread;
use std::time::Instant;

/// Processor, cores, load and versions, a line each. The load is that of the last minute, this
/// measurement included: more than one for each core means that something else was running.
pub(crate) fn describe(versions: &BTreeMap<String, String>) -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut text = format!("- {} with {cores} cores", processor());
    if let Ok(load) = read_to_string("/proc/loadavg") {
        let minute = load.split_whitespace().next().unwrap_or("unknown");
        text += &format!("; load average {minute} when it ended");
    }
    text += &format!("\n- twolayer {}\n", env!("CARGO_PKG_VERSION"));
    for (name, version) in versions {
        text += &format!("- {name} {version}\n");
    }
    text
}

/// Bytes read and written in a second by copying 256 MB on all cores: the median of nine copies, after
/// one that makes the pages.
pub(crate) fn copy_bandwidth() -> f64 {
    let source = vec![1.0; LENGTH];
    let mut target = vec![0.0; LENGTH];
    let mut copy = || {
        let clock = Instant::now();
        copy_on_all_cores(&source, &mut target);
        clock.elapsed().as_secs_f64()
    };
    copy();
    let bytes = 16 * LENGTH;
    bytes as f64 / median((0..9).map(|_| copy()))
}

fn processor() -> String {
    let information = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = information.lines().find(|line| line.starts_with(name))?;
        line.split_once(':')
            .map(|(_, value)| value.trim().to_string())
    };
    field("model name").unwrap_or_else(|| std::env::consts::ARCH.into())
}
