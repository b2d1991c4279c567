//! Times that are taken in turn, round after round, and come out as medians.

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

/// The times of every name so far.
#[derive(Default)]
pub struct Stopwatch(BTreeMap<&'static str, Vec<Duration>>);

impl Stopwatch {
    /// Does the work once and notes how long it took.
    pub fn time<R>(&mut self, name: &'static str, work: impl FnOnce() -> R) -> R {
        let started = Instant::now();
        let result = black_box(work());
        self.0.entry(name).or_default().push(started.elapsed());
        result
    }

    /// Microseconds for one of `times` things that were done at each turn of this name.
    pub fn median(&self, name: &str, times: usize) -> f64 {
        let mut sorted = self.0.get(name).expect("every name that is asked for was timed").clone();
        sorted.sort_unstable();
        sorted[sorted.len() / 2].as_secs_f64() * 1e6 / times as f64
    }
}
