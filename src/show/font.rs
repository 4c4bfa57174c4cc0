//! The letters of a picture: DejaVu Sans, Hangul of Nanum Gothic, and what else a font of the system has.

use std::io::Read;
use std::sync::{Once, OnceLock};

use ab_glyph::{Font, FontArc, FontVec, Glyph, GlyphId, Point, PxScale, ScaleFont};

use super::terminal::shown;

/// Letters of a text, each with its font, along a base line that begins at 0.
pub(super) struct Line {
    glyphs: Vec<(&'static FontArc, Glyph)>,
    /// The width of the text in pixels.
    pub(super) width: f32,
}

impl Line {
    /// Sets `text` in letters of `size` pixels.
    pub(super) fn of(text: &str, size: f32) -> Self {
        let (mut glyphs, mut width) = (Vec::new(), 0.0);
        let mut before: Option<(&'static FontArc, GlyphId)> = None;
        for character in text.chars().filter(|c| !c.is_control()) {
            let Some((font, id)) = font_of(character) else {
                continue;
            };
            // `size` is that of an em, and a scale of ab_glyph the height of a line.
            let em = font.units_per_em().unwrap_or(1000.0);
            let scale = PxScale::from(size * font.height_unscaled() / em);
            let scaled = font.as_scaled(scale);
            if let Some((last, last_id)) = before
                && std::ptr::eq(last, font)
            {
                width += scaled.kern(last_id, id);
            }
            let position = Point { x: width, y: 0.0 };
            glyphs.push((font, id.with_scale_and_position(scale, position)));
            width += scaled.h_advance(id);
            before = Some((font, id));
        }
        Self { glyphs, width }
    }

    /// Calls `pixel` with each pixel of the text and how much of it is covered, relative to the start of
    /// the base line.
    pub(super) fn draw(&self, mut pixel: impl FnMut(i32, i32, f32)) {
        for (font, glyph) in &self.glyphs {
            if let Some(outline) = font.outline_glyph(glyph.clone()) {
                let min = outline.px_bounds().min;
                let (left, top) = (min.x as i32, min.y as i32);
                outline.draw(|x, y, covered| pixel(left + x as i32, top + y as i32, covered));
            }
        }
    }
}

/// The font of a character and its place in it: the first font that has it.
fn font_of(character: char) -> Option<(&'static FontArc, GlyphId)> {
    let has = |font: &'static FontArc| {
        let id = font.glyph_id(character);
        (id.0 != 0).then_some((font, id))
    };
    if let Some(found) = dejavu_sans().and_then(has) {
        return Some(found);
    }
    let found = match is_hangul(character) {
        true => hangul().and_then(has),
        false => east_asian_font().and_then(has),
    };
    if found.is_none() && is_east_asian(character) {
        advise_once();
    }
    // A box in place of the character.
    found.or_else(|| dejavu_sans().map(|font| (font, GlyphId(0))))
}

fn dejavu_sans() -> Option<&'static FontArc> {
    static FONT: OnceLock<Option<FontArc>> = OnceLock::new();
    FONT.get_or_init(|| FontArc::try_from_slice(dejavu::sans::regular()).ok())
        .as_ref()
}

/// All 11,172 syllables and the single jamo (`fonts/README.md`).
fn hangul() -> Option<&'static FontArc> {
    static FONT: OnceLock<Option<FontArc>> = OnceLock::new();
    FONT.get_or_init(|| {
        let packed: &[u8] = include_bytes!("fonts/hangul.ttf.gz");
        let mut file = Vec::new();
        flate2::read::GzDecoder::new(packed)
            .read_to_end(&mut file)
            .ok()?;
        FontArc::try_from_vec(file).ok()
    })
    .as_ref()
}

fn is_hangul(character: char) -> bool {
    matches!(character, '\u{3131}'..='\u{318e}' | '\u{ac00}'..='\u{d7a3}')
}

/// Whether a character belongs to Chinese or Japanese writing.
fn is_east_asian(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}')
}

/// A font of the system that covers East Asian writing, if one is in its usual place.
fn east_asian_font() -> Option<&'static FontArc> {
    const PATHS: [&str; 9] = [
        "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/truetype/nanum/NanumGothic.ttf",
        "/usr/share/fonts/nanum/NanumGothic.ttf",
        "/System/Library/Fonts/AppleSDGothicNeo.ttc",
        "/System/Library/Fonts/Supplemental/AppleGothic.ttf",
        "C:\\Windows\\Fonts\\malgun.ttf",
    ];
    static FOUND: OnceLock<Option<FontArc>> = OnceLock::new();
    let read = |path: &&str| -> Option<FontArc> {
        let file = std::fs::read(path).ok()?;
        Some(FontArc::new(FontVec::try_from_vec_and_index(file, 0).ok()?))
    };
    FOUND.get_or_init(|| PATHS.iter().find_map(read)).as_ref()
}

/// Says once how Chinese and Japanese text can be had.
fn advise_once() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let advice = "a picture has Chinese or Japanese text, for which no font was found: install Noto Sans CJK \
                      (Debian: fonts-noto-cjk)";
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "{}", shown(advice));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn korean_needs_no_font_of_the_system() {
        for character in "가힣뷁ㄱㅎㅏㅣ소리".chars() {
            let (font, id) = font_of(character).unwrap();
            assert!(std::ptr::eq(font, hangul().unwrap()), "{character}");
            assert!(font.outline(id).is_some(), "{character}");
        }
    }

    #[test]
    fn all_syllables_are_there() {
        let font = hangul().unwrap();
        assert!(('가'..='힣').all(|syllable| font.glyph_id(syllable).0 != 0));
    }

    #[test]
    fn a_mixed_text_is_set_in_both_fonts() {
        let line = Line::of("소리 sound", 15.0);
        assert_eq!(line.glyphs.len(), 8);
        assert!(
            line.width > Line::of("sound", 15.0).width + 28.0,
            "{}",
            line.width
        );
        let mut covered = 0.0;
        line.draw(|_, _, part| covered += part);
        assert!(covered > 100.0);
    }
}
