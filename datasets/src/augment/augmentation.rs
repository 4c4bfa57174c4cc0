//! The augmentations there are.

use crate::named::named;

named! {
    /// One way to vary a recording. They are applied in this order: first the source, then its place
    /// in time, then the room and the noise in it, then level and colour; features come last.
    Augmentation, "augmentation" {
        /// Faster or slower, with the pitch.
        Speed = "speed",
        /// Faster or slower, without the pitch.
        Stretch = "stretch",
        /// A part of the recording.
        Crop = "crop",
        /// Higher or lower, without the speed.
        Pitch = "pitch",
        /// Earlier or later.
        Shift = "shift",
        /// In a room.
        Reverb = "reverb",
        /// With noise.
        Noise = "noise",
        /// Louder or softer.
        Gain = "gain",
        /// Bands and stretches of the features masked.
        SpecAugment = "spec_augment",
        /// Through another microphone.
        // Last in the list, as each draws by its place in it: recipes keep their draws.
        Equalizer = "equalizer",
    }
}

impl Augmentation {
    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::VALUES.iter().map(|each| each.name())
    }

    /// Whether it changes features, rather than waveforms.
    #[must_use]
    pub const fn acts_on_features(self) -> bool {
        matches!(self, Self::SpecAugment)
    }
}
