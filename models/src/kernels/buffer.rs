//! Buffers that are used again.
//!
//! A training step needs the same large buffers as the step before. Taking them fresh from the
//! system costs a page fault for every 4 KiB and a pass of zeros, more time than many a kernel
//! needs, so a kernel takes its outputs from a pool and hands back what nobody else holds.

use std::mem::size_of;

use super::Real;

/// The least values of a buffer that is kept: smaller ones cost no pages. Weights of norms and biases would come by the
/// thousand, and all of them would be looked through each time.
const MIN_VALUES: usize = 1024;
/// The most that waits in a pool. What a training step uses at once is in use, not waiting.
const MAX_BYTES: usize = 256 << 20;
/// If more than this waits and nothing of it fits, a new buffer takes the place of the oldest ones. Where all batches
/// have one length everything fits, and nothing is lost.
const MAX_BYTES_THAT_DO_NOT_FIT: usize = 128 << 20;

/// The most values of a buffer that may be left over, if they are more than a quarter.
const MOST_SPARE: usize = 4 << 20;

/// A buffer of `len` values of any content: the caller writes every one before it is read.
pub(crate) fn take<T: Real>(len: usize) -> Vec<T> {
    if len < MIN_VALUES {
        return vec![T::ZERO; len];
    }
    let mut pool = T::pool().lock();
    // The tightest that fits. Small ones may have twice the size: batches of all lengths share what the
    // longest needed.
    let spare = (len / 4).max(len.min(MOST_SPARE)) + 64;
    let fits = |capacity: usize| capacity >= len && capacity - len <= spare;
    let best = pool
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, buffer)| fits(buffer.capacity()))
        .min_by_key(|(_, buffer)| buffer.capacity())
        .map(|(index, _)| index);
    let Some(index) = best else {
        let excess = waiting(&pool).saturating_sub(MAX_BYTES_THAT_DO_NOT_FIT);
        let dropped = oldest(&mut pool, excess.min(len * size_of::<T>()));
        drop(pool);
        drop(dropped);
        return vec![T::ZERO; len];
    };
    let mut buffer = pool.remove(index);
    drop(pool);
    buffer.resize(len, T::ZERO);
    buffer
}

/// As [`take`], with every value zero.
pub(crate) fn take_zeroed<T: Real>(len: usize) -> Vec<T> {
    let mut buffer = take(len);
    buffer.fill(T::ZERO);
    buffer
}

/// Gives a buffer back.
pub(crate) fn give<T: Real>(buffer: Vec<T>) {
    if buffer.capacity() < MIN_VALUES {
        return;
    }
    let mut pool = T::pool().lock();
    pool.push(buffer);
    let excess = waiting(&pool).saturating_sub(MAX_BYTES);
    let dropped = oldest(&mut pool, excess);
    drop(pool);
    drop(dropped);
}

/// The bytes of all buffers of a pool.
fn waiting<T>(pool: &[Vec<T>]) -> usize {
    let bytes = pool.iter().map(|buffer| buffer.capacity() * size_of::<T>());
    bytes.sum()
}

/// Takes the oldest buffers out, at least so many bytes of them.
fn oldest<T>(pool: &mut Vec<Vec<T>>, bytes: usize) -> Vec<Vec<T>> {
    let (mut count, mut found) = (0, 0);
    while found < bytes && count < pool.len() {
        found += pool[count].capacity() * size_of::<T>();
        count += 1;
    }
    pool.drain(..count).collect()
}

/// A buffer that goes back by itself.
pub(crate) struct Scratch<T: Real>(Vec<T>);

impl<T: Real> Scratch<T> {
    /// `len` values of any content.
    pub(crate) fn new(len: usize) -> Self {
        Self(take(len))
    }
}

impl<T: Real> Drop for Scratch<T> {
    fn drop(&mut self) {
        give(std::mem::take(&mut self.0));
    }
}

impl<T: Real> std::ops::Deref for Scratch<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Real> std::ops::DerefMut for Scratch<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_given_back_is_taken_again_and_has_the_length_asked_for() {
        // A size that no other test uses.
        let first: Vec<f64> = take(7919);
        let address = first.as_ptr();
        give(first);
        let second: Vec<f64> = take(7900);
        assert_eq!(second.as_ptr(), address);
        assert_eq!(second.len(), 7900);
    }

    #[test]
    fn small_buffers_do_not_wait() {
        for len in [0, 1, MIN_VALUES - 1] {
            give(vec![1.0f64; len]);
        }
        let small = |buffer: &Vec<f64>| buffer.capacity() < MIN_VALUES;
        assert!(!f64::pool().lock().iter().any(small));
        assert_eq!(take::<f64>(3), [0.0; 3]);
    }

    #[test]
    fn the_oldest_buffers_go_first() {
        let mut pool = vec![vec![0.0f64; 10], vec![0.0; 20], vec![0.0; 30]];
        assert_eq!(waiting(&pool), 480);
        assert_eq!(oldest(&mut pool, 0).len(), 0);
        assert_eq!(oldest(&mut pool, 81).len(), 2);
        assert_eq!(pool, [vec![0.0; 30]]);
        assert_eq!(oldest(&mut pool, 1000).len(), 1);
    }

    #[test]
    fn zeroed_buffers_are_zero_whatever_they_held() {
        give(vec![1.0f64; 3571]);
        assert!(take_zeroed::<f64>(3571).iter().all(|&x| x == 0.0));
    }
}
