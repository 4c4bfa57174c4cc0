//! A decoder's panic on damaged input, of which only our error is told.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use sori_datasets::audio::decode;

#[test]
fn a_panic_within_a_decoder_is_not_reported_and_others_are() {
    static REPORTED: AtomicUsize = AtomicUsize::new(0);
    std::panic::set_hook(Box::new(|_| {
        REPORTED.fetch_add(1, Ordering::SeqCst);
    }));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/damaged.ogg");
    for _ in 0..2 {
        let text = decode(&path).unwrap_err().to_string();
        assert!(text.contains("damaged.ogg as ogg vorbis"), "{text}");
    }
    assert_eq!(REPORTED.load(Ordering::SeqCst), 0);
    let other = std::thread::spawn(|| panic!("as usual")).join();
    assert!(other.is_err());
    assert_eq!(REPORTED.load(Ordering::SeqCst), 1);
}
