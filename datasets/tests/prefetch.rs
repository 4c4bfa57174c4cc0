//! Work done ahead comes out in order, is bounded, and never hangs.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sori_datasets::{prefetch, prefetch_with};

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn results_come_in_the_order_of_the_jobs(
        delays in prop::collection::vec(0_u64..400, 0..60),
        workers in 0_usize..6,
        depth in 0_usize..10,
    ) {
        let jobs: Vec<_> = delays.iter().copied().enumerate().collect();
        let results = prefetch(jobs, workers, depth, |(index, delay)| {
            std::thread::sleep(Duration::from_micros(delay));
            index
        });
        prop_assert_eq!(results.len(), delays.len());
        prop_assert!(results.eq(0..delays.len()));
    }
}

#[test]
fn no_more_than_depth_is_made_ahead() {
    for (workers, depth) in [(1, 1), (4, 1), (4, 3), (2, 8)] {
        let begun = Arc::new(AtomicUsize::new(0));
        let counter = begun.clone();
        let results = prefetch((0..100).collect(), workers, depth, move |job: usize| {
            counter.fetch_add(1, Ordering::SeqCst);
            job
        });
        for (taken, _) in results.enumerate() {
            if taken % 10 == 0 {
                std::thread::sleep(Duration::from_millis(3));
            }
            // What was taken, this one included, and what is ahead.
            assert!(
                begun.load(Ordering::SeqCst) <= taken + 1 + depth,
                "{workers} {depth}"
            );
        }
        assert_eq!(begun.load(Ordering::SeqCst), 100);
    }
}

#[test]
fn a_panic_comes_out_where_its_result_would() {
    for workers in [0, 1, 3] {
        let mut results = prefetch((0..20).collect(), workers, 4, |job: usize| {
            assert_ne!(job, 7, "job seven");
            job
        });
        for wanted in 0..7 {
            assert_eq!(results.next(), Some(wanted));
        }
        let panic = catch_unwind(AssertUnwindSafe(|| results.next())).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains("job seven"), "{message}");
        assert_eq!(results.next(), Some(8));
    }
}

#[test]
fn a_panicking_worker_state_is_no_hang() {
    let mut results = prefetch_with(
        vec![1, 2, 3],
        2,
        2,
        || -> usize { panic!("no state") },
        |state, job| *state + job,
    );
    assert!(catch_unwind(AssertUnwindSafe(|| results.next())).is_err());
}

#[test]
fn each_worker_makes_its_state_once() {
    for workers in [0, 1, 4] {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = made.clone();
        let results = prefetch_with(
            (0..200).collect(),
            workers,
            8,
            move || counter.fetch_add(1, Ordering::SeqCst),
            |_, job: usize| job,
        );
        assert_eq!(results.count(), 200);
        assert!(made.load(Ordering::SeqCst) <= workers.max(1));
    }
}

#[test]
fn dropping_stops_the_workers() {
    let begun = Arc::new(AtomicUsize::new(0));
    let counter = begun.clone();
    let mut results = prefetch((0..10_000).collect(), 3, 6, move |job: usize| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2));
        job
    });
    assert_eq!(results.next(), Some(0));
    let start = Instant::now();
    drop(results);
    assert!(start.elapsed() < Duration::from_secs(2));
    let stopped_at = begun.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(begun.load(Ordering::SeqCst), stopped_at);
    assert!(stopped_at <= 8);
}
