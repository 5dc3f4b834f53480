//! Many solves shared out over threads.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// How many targets are worked on at a time, and with how many threads each.
///
/// Threads across targets are faster than threads inside the products of one: most of a solve is on
/// matrices that are too small to share. So each thread has a target of its own, and only where
/// there are fewer targets than threads do several work on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crew {
    workers: usize,
    threads: usize,
}

impl Crew {
    /// The crew of so many `threads` for so many `targets`.
    pub fn new(threads: usize, targets: usize) -> Self {
        Self::of_at_most(threads, targets, threads)
    }

    /// The same with at most so many `workers`, where each needs memory of its own.
    pub fn of_at_most(workers: usize, targets: usize, threads: usize) -> Self {
        let threads = threads.max(1);
        let workers = workers.min(targets).clamp(1, threads);
        Self {
            workers,
            threads: threads / workers,
        }
    }

    /// How many targets are worked on at a time.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// With how many threads each.
    pub fn threads_each(&self) -> usize {
        self.threads
    }

    /// Has `work` done on all `items`, each worker taking the next as soon as it is free, and the
    /// results handed to `deliver`, on the calling thread and in the order of the items. `Break`
    /// ends the work: what is under way is finished and dropped.
    ///
    /// `work` is called once by each worker, so that it can keep what serves all of its items. One
    /// worker works on the calling thread.
    pub fn share_out<R: Send>(
        &self,
        items: Range<usize>,
        work: impl Fn(&dyn Seat<R>) + Sync,
        deliver: impl FnMut(usize, R) -> ControlFlow<()>,
    ) {
        let queue = Queue {
            next: AtomicUsize::new(items.start),
            fair_share: items.len().div_ceil(self.workers),
            end: items.end,
            workers: self.workers,
            threads: self.threads,
        };
        if self.workers == 1 {
            let deliver = RefCell::new(deliver);
            return work(&Alone { queue, deliver });
        }
        thread::scope(|scope| {
            let (results, received) = mpsc::channel();
            let (queue, work) = (&queue, &work);
            for number in 0..self.workers {
                let own = results.clone();
                let seat = Among {
                    queue,
                    results: own,
                };
                let started = thread::Builder::new().spawn_scoped(scope, move || work(&seat));
                if started.is_err() && number == 0 {
                    // A system that has no more threads has this one.
                    let results = results.clone();
                    work(&Among { queue, results });
                }
            }
            drop(results);
            deliver_in_order(queue, items.start, received, deliver);
        });
    }
}

fn deliver_in_order<R>(
    queue: &Queue,
    first: usize,
    received: Receiver<(usize, R)>,
    mut deliver: impl FnMut(usize, R) -> ControlFlow<()>,
) {
    let mut early = BTreeMap::new();
    let mut due = first;
    for (item, result) in received {
        early.insert(item, result);
        while let Some(result) = early.remove(&due) {
            if deliver(due, result).is_break() {
                return queue.close();
            }
            due += 1;
        }
    }
}

/// A worker's place: where it takes items from and hands results to.
pub trait Seat<R> {
    /// How many threads the worker may use.
    fn threads(&self) -> usize;

    /// The next items, at most so many and none where none is left. Towards the end they are fewer,
    /// down to half, so that no worker is left with the last of them alone.
    fn take_several(&self, most: usize) -> Range<usize>;

    /// The next item, if one is left.
    fn take(&self) -> Option<usize> {
        self.take_several(1).next()
    }

    /// Hands over the result of an item that was taken.
    fn hand_over(&self, item: usize, result: R);
}

/// The items that nobody has taken.
struct Queue {
    next: AtomicUsize,
    end: usize,
    /// Of all items, for each worker.
    fair_share: usize,
    workers: usize,
    threads: usize,
}

impl Queue {
    fn take(&self, most: usize) -> Range<usize> {
        let fewest = self.fair_share.min(most.div_ceil(2));
        let behind = |first: usize| {
            let left = self.end.saturating_sub(first);
            let share = left.div_ceil(self.workers).clamp(fewest, most);
            first + share.min(left)
        };
        let (order, next) = (Ordering::Relaxed, &self.next);
        // Never refused: `behind` has an answer for every number.
        let taken = next.fetch_update(order, order, |first| Some(behind(first)));
        let first = taken.unwrap_or(self.end);
        first..behind(first)
    }

    fn close(&self) {
        self.next.store(self.end, Ordering::Relaxed);
    }
}

/// The seat of a worker on the calling thread.
struct Alone<D> {
    queue: Queue,
    deliver: RefCell<D>,
}

impl<R, D: FnMut(usize, R) -> ControlFlow<()>> Seat<R> for Alone<D> {
    fn threads(&self) -> usize {
        self.queue.threads
    }

    fn take_several(&self, most: usize) -> Range<usize> {
        self.queue.take(most)
    }

    fn hand_over(&self, item: usize, result: R) {
        if (self.deliver.borrow_mut())(item, result).is_break() {
            self.queue.close();
        }
    }
}

/// The seat of one of several workers.
struct Among<'q, R> {
    queue: &'q Queue,
    results: Sender<(usize, R)>,
}

impl<R> Seat<R> for Among<'_, R> {
    fn threads(&self) -> usize {
        self.queue.threads
    }

    fn take_several(&self, most: usize) -> Range<usize> {
        self.queue.take(most)
    }

    fn hand_over(&self, item: usize, result: R) {
        // Nobody receives after a `Break`.
        let _ = self.results.send((item, result));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test's way to fail")]
mod tests {
    use super::*;

    #[test]
    fn threads_go_to_targets_first() {
        let crew = |threads, targets| {
            let crew = Crew::new(threads, targets);
            (crew.workers(), crew.threads_each())
        };
        assert_eq!(crew(2, 64), (2, 1));
        assert_eq!(crew(2, 1), (1, 2));
        assert_eq!(crew(16, 5), (5, 3));
        assert_eq!(crew(0, 0), (1, 1));
        assert_eq!(Crew::of_at_most(2, 9, 8).threads_each(), 4);
    }

    #[test]
    fn the_last_items_are_shared() {
        let crew = Crew::new(2, 21);
        let taken = std::sync::Mutex::new(Vec::new());
        crew.share_out(
            4..25,
            |seat: &dyn Seat<()>| {
                loop {
                    let block = seat.take_several(8);
                    if block.is_empty() {
                        break;
                    }
                    taken.lock().unwrap().push(block.clone());
                    block.for_each(|item| seat.hand_over(item, ()));
                }
            },
            |_, ()| ControlFlow::Continue(()),
        );
        let mut taken = taken.into_inner().unwrap();
        taken.sort_by_key(|block| block.start);
        assert_eq!(taken, [4..12, 12..19, 19..23, 23..25]);
    }

    #[test]
    fn results_come_in_order_and_stop_at_a_break() {
        for workers in [1, 2, 5] {
            let crew = Crew::new(workers, 100);
            let squares = |seat: &dyn Seat<usize>| {
                while let Some(item) = seat.take() {
                    // The even ones late.
                    if item.is_multiple_of(2) {
                        thread::yield_now();
                    }
                    seat.hand_over(item, item * item);
                }
            };
            let mut seen = Vec::new();
            crew.share_out(3..100, squares, |item, square| {
                seen.push((item, square));
                ControlFlow::Continue(())
            });
            let all: Vec<_> = (3..100).map(|item| (item, item * item)).collect();
            assert_eq!(seen, all);

            let mut seen = Vec::new();
            crew.share_out(0..100, squares, |item, _| {
                seen.push(item);
                match item {
                    7 => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                }
            });
            assert_eq!(seen, (0..8).collect::<Vec<_>>());
        }
    }
}
