//! Work done ahead on threads, with results in order.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// The results of jobs, in the order of the jobs; see [`prefetch`].
///
/// Dropping it stops the workers: each finishes the job it is at, and no other is begun.
pub struct Prefetch<T> {
    way: Way<T>,
    left: usize,
}

enum Way<T> {
    /// No workers: each job is done when its result is asked for.
    Inline(Box<dyn FnMut() -> Option<T> + Send>),
    Threads {
        shared: Arc<Shared<T>>,
        workers: Vec<JoinHandle<()>>,
    },
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// A result came in.
    made: Condvar,
    /// A result was taken out, or all is to stop.
    taken: Condvar,
}

struct State<T> {
    /// Index of the job that is begun next.
    next: usize,
    /// Index of the result that is handed out next.
    wanted: usize,
    /// Results that wait for their turn; a panic is a result too.
    waiting: BTreeMap<usize, Result<T, Panic>>,
    stop: bool,
}

type Panic = Box<dyn Any + Send>;

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `jobs` on `workers` threads and hands out the results in the order of the jobs, whatever
/// the threads' timing. At most `depth` results (at least one) wait or are being made at any time.
/// With no workers each job is done when its result is asked for.
///
/// # Panics
///
/// If the system cannot start a thread: on `wasm32-unknown-unknown`, which has none, `workers` must
/// be 0. A panic in `load` is raised again where the result would have been handed out.
///
/// ```
/// let squares = sori_datasets::prefetch((0..5).collect(), 2, 4, |n: u32| n * n);
/// assert_eq!(squares.collect::<Vec<_>>(), [0, 1, 4, 9, 16]);
/// ```
pub fn prefetch<J, T, F>(jobs: Vec<J>, workers: usize, depth: usize, load: F) -> Prefetch<T>
where
    J: Send + 'static,
    T: Send + 'static,
    F: Fn(J) -> T + Send + Sync + 'static,
{
    prefetch_with(jobs, workers, depth, || (), move |(), job| load(job))
}

/// As [`prefetch`], with a state each worker makes for itself by `init` and keeps, such as a
/// [`FeatureExtractor`](crate::FeatureExtractor).
///
/// # Panics
///
/// As [`prefetch`], and a panic in `init` is raised again where the result would have been handed out.
pub fn prefetch_with<J, S, T, I, F>(
    jobs: Vec<J>,
    workers: usize,
    depth: usize,
    init: I,
    load: F,
) -> Prefetch<T>
where
    J: Send + 'static,
    S: Send + 'static,
    T: Send + 'static,
    I: Fn() -> S + Send + Sync + 'static,
    F: Fn(&mut S, J) -> T + Send + Sync + 'static,
{
    let left = jobs.len();
    let mut jobs = jobs.into_iter();
    if workers == 0 {
        let mut state = None;
        let next = move || {
            let job = jobs.next()?;
            Some(load(state.get_or_insert_with(&init), job))
        };
        return Prefetch {
            way: Way::Inline(Box::new(next)),
            left,
        };
    }

    let depth = depth.max(1);
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            next: 0,
            wanted: 0,
            waiting: BTreeMap::new(),
            stop: false,
        }),
        made: Condvar::new(),
        taken: Condvar::new(),
    });
    let jobs = Arc::new(Mutex::new(jobs));
    let work = Arc::new((init, load));
    let workers = (0..workers.min(left))
        .map(|_| {
            let (shared, jobs, work) = (shared.clone(), jobs.clone(), work.clone());
            std::thread::spawn(move || {
                let (init, load) = &*work;
                let mut own = None;
                loop {
                    let mut state = shared.lock();
                    while !state.stop && state.next >= state.wanted + depth {
                        state = shared
                            .taken
                            .wait(state)
                            .unwrap_or_else(PoisonError::into_inner);
                    }
                    if state.stop {
                        return;
                    }
                    let index = state.next;
                    // Taken under the lock, so that index and job belong together.
                    let Some(job) = jobs.lock().unwrap_or_else(PoisonError::into_inner).next()
                    else {
                        return;
                    };
                    state.next += 1;
                    drop(state);

                    let result =
                        catch_unwind(AssertUnwindSafe(|| load(own.get_or_insert_with(init), job)));
                    let failed = result.is_err();
                    let mut state = shared.lock();
                    state.waiting.insert(index, result);
                    drop(state);
                    shared.made.notify_all();
                    if failed {
                        // What the state is worth after a panic is unknown.
                        own = None;
                    }
                }
            })
        })
        .collect();
    Prefetch {
        way: Way::Threads { shared, workers },
        left,
    }
}

impl<T> Iterator for Prefetch<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        match &mut self.way {
            Way::Inline(next) => next(),
            Way::Threads { shared, .. } => {
                let mut state = shared.lock();
                let wanted = state.wanted;
                let result = loop {
                    if let Some(result) = state.waiting.remove(&wanted) {
                        break result;
                    }
                    state = shared
                        .made
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                };
                state.wanted += 1;
                drop(state);
                shared.taken.notify_all();
                Some(result.unwrap_or_else(|panic| resume_unwind(panic)))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for Prefetch<T> {}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        if let Way::Threads { shared, workers } = &mut self.way {
            shared.lock().stop = true;
            shared.taken.notify_all();
            for worker in workers.drain(..) {
                // A worker catches the panics of its jobs, so its result says nothing.
                let _ = worker.join();
            }
        }
    }
}
