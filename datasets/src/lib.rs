//! Audio corpora, decoding, resampling and features: files in, numbers out.
