//! What figures were measured on.

use std::collections::BTreeMap;
use std::fs::read_to_string;

/// Processor, cores, load and versions, a line each. The load is that of the last minute, this
/// measurement included: more than one for each core means that something else was running.
pub(crate) fn describe(versions: &BTreeMap<String, String>) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
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

fn processor() -> String {
    let information = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = information.lines().find(|line| line.starts_with(name))?;
        line.split_once(':')
            .map(|(_, value)| value.trim().to_string())
    };
    field("model name").unwrap_or_else(|| std::env::consts::ARCH.into())
}
