//! How far a long run is: a bar on a terminal, a line now and then where standard error is a file.

use crate::printing::tell;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two lines.
const INTERVAL: Duration = Duration::from_secs(30);

/// What is shown on standard error of a number of items of work.
pub(crate) enum Progress {
    Hidden,
    Bar(ProgressBar),
    Lines(Lines),
}

impl Progress {
    pub(crate) fn new(quiet: bool, count: usize, what: &'static str) -> Self {
        if quiet {
            Self::Hidden
        } else if io::stderr().is_terminal() {
            Self::Bar(bar(count, what))
        } else {
            Self::Lines(Lines::new(count, what, INTERVAL, tell))
        }
    }

    /// One more is done.
    pub(crate) fn advance(&self) {
        match self {
            Self::Hidden => {}
            Self::Bar(bar) => bar.inc(1),
            Self::Lines(lines) => {
                lines.done.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Shows no more, and takes a bar away.
    pub(crate) fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn bar(count: usize, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(count as u64);
    let template = format!("{{bar:40}} {{pos}}/{{len}} {what}, {{eta}} left");
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Says from a thread of its own how many items are done: a single one may take hours.
pub(crate) struct Lines {
    done: Arc<AtomicUsize>,
    /// Dropped, it ends the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lines {
    fn new(
        count: usize,
        what: &'static str,
        interval: Duration,
        mut say: impl FnMut(&str) + Send + 'static,
    ) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let (end, ended) = mpsc::channel::<()>();
        let so_far = Arc::clone(&done);
        let thread = thread::Builder::new().spawn(move || {
            let clock = Instant::now();
            while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let done = so_far.load(Ordering::Relaxed);
                say(&line(done, count, what, clock.elapsed()));
            }
        });
        Self {
            done,
            end: Some(end),
            // A system that has no more threads gets no lines.
            thread: thread.ok(),
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to hand over, and said all it could if it panicked.
            let _ = thread.join();
        }
    }
}

/// The time that is left is a guess: as if the others took as long as those that are done.
fn line(done: usize, count: usize, what: &str, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let left = match done {
        0 => String::new(),
        _ => {
            let left = seconds * count.saturating_sub(done) as f64 / done as f64;
            format!(", about {left:.0} s left")
        }
    };
    format!("{done} of {count} {what} after {seconds:.0} s{left}\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's way to fail")]
    use super::*;

    /// A line that does not come fails the test, and does not hang it.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn lines_come_until_the_end() {
        let (sender, lines) = mpsc::channel();
        let say = move |line: &str| sender.send(line.to_owned()).unwrap();
        let progress = Progress::Lines(Lines::new(3, "targets", Duration::from_millis(1), say));
        let first = lines.recv_timeout(LONG).unwrap();
        assert!(first.starts_with("0 of 3 targets after"), "{first}");
        progress.advance();
        progress.advance();
        let two = |line: &String| line.starts_with("2 of 3 targets after");
        let deadline = Instant::now() + LONG;
        while !two(&lines.recv_timeout(LONG).unwrap()) {
            assert!(Instant::now() < deadline);
        }
        progress.finish();
        // The thread is gone, and what it said with it.
        assert!(lines.iter().all(|line| two(&line)));
    }

    #[test]
    fn the_time_left_is_in_proportion() {
        let after = |done| line(done, 40, "targets", Duration::from_secs(30));
        assert_eq!(after(0), "0 of 40 targets after 30 s\n");
        assert_eq!(after(10), "10 of 40 targets after 30 s, about 90 s left\n");
        assert_eq!(after(40), "40 of 40 targets after 30 s, about 0 s left\n");
    }
}
