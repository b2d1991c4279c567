//! Work on many rows at once, on all processors, in order.

use std::{num::NonZero, thread};

/// Applies `work` to every item; the results are in the items' order.
pub fn map<'i, T: Sync, R: Send>(items: &'i [T], work: impl Fn(&'i T) -> R + Sync) -> Vec<R> {
    let chunk = chunk_size(items.len());
    let work = &work;
    thread::scope(|scope| {
        let parts = items.chunks(chunk);
        let started: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().map(work).collect())).collect();
        let mut results: Vec<R> = Vec::with_capacity(items.len());
        for thread in started {
            let part: Vec<R> = thread.join().expect("the work does not panic");
            results.extend(part);
        }
        results
    })
}

fn chunk_size(items: usize) -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    items.div_ceil(processors).max(64)
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        let expected: Vec<u32> = items.iter().map(|n| n * 2).collect();
        assert_eq!(super::map(&items, |n| n * 2), expected);
        assert!(super::map(&[], |n: &u32| *n).is_empty());
    }
}
