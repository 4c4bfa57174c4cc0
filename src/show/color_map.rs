//! Colour scales on which equal steps look equal.

use super::theme::Color;

/// A scale of colours from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColorMap {
    /// From black over violet to a light yellow: magma, for sound.
    Sound,
    /// From violet over green to yellow: viridis, for weights and probabilities.
    Weight,
    /// From light blue over black in the middle to a light red, for values of both signs, as in Crameri's
    /// berlin.
    Signed,
}

/// The colour of a value that is not a number.
const NO_NUMBER: Color = Color(128, 128, 128);

impl ColorMap {
    /// The colour at `place`, which is taken into the range from 0 to 1; grey if it is not a number.
    pub(super) fn color(self, place: f32) -> Color {
        if place.is_nan() {
            return NO_NUMBER;
        }
        let place = f64::from(place.clamp(0.0, 1.0));
        let of = |gradient: colorous::Gradient| {
            let color = gradient.eval_continuous(place);
            Color(color.r, color.g, color.b)
        };
        match self {
            Self::Sound => of(colorous::MAGMA),
            Self::Weight => of(colorous::VIRIDIS),
            Self::Signed => berlin(place),
        }
    }

    /// How much the place tells of two that fall into one pixel: the one that tells more is shown.
    pub(super) fn weight(self, place: f32) -> f32 {
        match self {
            Self::Sound | Self::Weight => place,
            Self::Signed => (place - 0.5).abs(),
        }
    }
}

/// Crameri's berlin by five of its colours.
fn berlin(place: f64) -> Color {
    const COLORS: [Color; 5] = [
        Color(158, 176, 255),
        Color(45, 117, 157),
        Color(17, 12, 9),
        Color(138, 58, 24),
        Color(255, 173, 173),
    ];
    let scaled = place * (COLORS.len() - 1) as f64;
    let first = (scaled as usize).min(COLORS.len() - 2);
    COLORS[first].toward(COLORS[first + 1], scaled - first as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_rise_in_brightness_from_dark() {
        let brightness = |map: ColorMap, place| {
            let Color(r, g, b) = map.color(place);
            0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)
        };
        for map in [ColorMap::Sound, ColorMap::Weight] {
            let all: Vec<f64> = (0..=20).map(|i| brightness(map, i as f32 / 20.0)).collect();
            assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
        }
        // Of both signs the middle is the darkest.
        let darkest = brightness(ColorMap::Signed, 0.5);
        assert!(
            [0.0, 0.3, 0.7, 1.0]
                .iter()
                .all(|p| brightness(ColorMap::Signed, *p) > darkest)
        );
        assert_eq!(ColorMap::Sound.color(f32::NAN), NO_NUMBER);
    }
}
