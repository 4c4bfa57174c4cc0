//! The cutting of a long recording into windows.

/// The length of windows and the hop between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows {
    /// Length of a window in seconds.
    pub window_s: f64,
    /// The hop from one window to the next, in seconds.
    pub hop_s: f64,
}

/// Start and end of the windows over `samples`. The last one ends with the recording.
pub(super) fn cuts(samples: usize, window: usize, hop: usize) -> Vec<(usize, usize)> {
    if samples <= window || window == 0 || hop == 0 {
        return vec![(0, samples)];
    }
    let last = samples - window;
    (0..last)
        .step_by(hop)
        .chain([last])
        .map(|start| (start, start + window))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::cuts;
    use proptest::prelude::*;

    #[test]
    fn a_short_recording_is_one_window() {
        assert_eq!(cuts(5, 8, 4), [(0, 5)]);
        assert_eq!(cuts(8, 8, 4), [(0, 8)]);
        assert_eq!(cuts(0, 8, 4), [(0, 0)]);
    }

    #[test]
    fn the_last_window_ends_with_the_recording() {
        assert_eq!(cuts(13, 8, 4), [(0, 8), (4, 12), (5, 13)]);
        assert_eq!(cuts(12, 8, 4), [(0, 8), (4, 12)]);
    }

    proptest! {
        #[test]
        fn windows_cover_every_sample_in_order(
            samples in 0usize..2000, window in 1usize..300, hop in 1usize..300,
        ) {
            let hop = hop.min(window);
            let cuts = cuts(samples, window, hop);
            prop_assert_eq!(cuts[0].0, 0);
            prop_assert_eq!(cuts[cuts.len() - 1].1, samples);
            for pair in cuts.windows(2) {
                prop_assert!(pair[0].0 < pair[1].0);
                prop_assert!(pair[1].0 <= pair[0].1);
                prop_assert_eq!(pair[1].1 - pair[1].0, window);
            }
        }
    }
}
