//! Tasks shared out among rayon's threads.

use rayon::iter::plumbing::{Producer, ProducerCallback};
use rayon::prelude::*;

/// Runs independent tasks.
///
/// One task alone, and all of them where there is one thread, run where they are asked for: to wake
/// another thread and to wait for it takes longer than many a task of a small network.
pub(crate) trait Tasks: IndexedParallelIterator {
    /// Runs all.
    fn run(self, task: impl Fn(Self::Item) + Send + Sync) {
        if is_shared(self.len()) {
            let most = most_at_once(self.len());
            self.with_max_len(most).for_each(task);
        } else {
            self.with_producer(Here(task));
        }
    }

    /// Runs all and gives what they found, in order.
    fn gather(self) -> Vec<Self::Item> {
        if is_shared(self.len()) {
            let most = most_at_once(self.len());
            self.with_max_len(most).collect()
        } else {
            self.with_producer(Gathered)
        }
    }
}

impl<I: IndexedParallelIterator> Tasks for I {}

/// How many tasks a thread takes at once: few enough that none waits long for the last of another.
fn most_at_once(tasks: usize) -> usize {
    (tasks / (16 * rayon::current_num_threads())).max(1)
}

fn is_shared(tasks: usize) -> bool {
    tasks > 1 && rayon::current_num_threads() > 1
}

/// Runs tasks on this thread.
struct Here<F>(F);

impl<T, F: Fn(T)> ProducerCallback<T> for Here<F> {
    type Output = ();

    fn callback<P: Producer<Item = T>>(self, tasks: P) {
        tasks.into_iter().for_each(self.0);
    }
}

/// Takes what tasks find on this thread.
struct Gathered;

impl<T> ProducerCallback<T> for Gathered {
    type Output = Vec<T>;

    fn callback<P: Producer<Item = T>>(self, tasks: P) -> Vec<T> {
        tasks.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What tasks over so many values find, and what they leave, on so many threads.
    fn on_threads(threads: usize, len: usize) -> (Vec<usize>, Vec<usize>) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool").install(|| {
            let mut values: Vec<usize> = (0..len).collect();
            let sums = values.par_chunks(3).map(|part| part.iter().sum());
            let sums = sums.gather();
            let chunks = values.par_chunks_mut(3).enumerate();
            chunks.run(|(index, part)| part.iter_mut().for_each(|value| *value += 100 * index));
            (sums, values)
        })
    }

    #[test]
    fn one_task_runs_where_it_is_asked_for() {
        // The thread of a test is not of the pool.
        let here = std::thread::current().id();
        let found: Vec<_> = [0].par_iter().map(|_| std::thread::current().id()).gather();
        assert_eq!(found, [here]);
        [0].par_iter()
            .run(|_| assert_eq!(std::thread::current().id(), here));
    }

    #[test]
    fn any_number_of_threads_does_all_tasks() {
        assert_eq!(on_threads(1, 5), (vec![3, 7], vec![0, 1, 2, 103, 104]));
        for len in [0, 3, 5, 100] {
            assert_eq!(on_threads(2, len), on_threads(1, len));
        }
    }
}
