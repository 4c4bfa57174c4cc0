//! The font of a picture's text.

use std::sync::OnceLock;

/// A font that covers `texts`: DejaVu Sans, which is compiled in, or for East Asian writing a font of
/// the system, if there is one.
pub(super) fn font_for<'a>(texts: impl IntoIterator<Item = &'a str>) -> &'static [u8] {
    let is_east_asian = texts.into_iter().flat_map(str::chars).any(is_east_asian);
    let font = is_east_asian.then(east_asian_font).flatten();
    font.unwrap_or(dejavu::sans::regular())
}

/// Whether a character belongs to Korean, Chinese or Japanese writing, which DejaVu Sans does not cover.
fn is_east_asian(character: char) -> bool {
    matches!(character, '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{318f}' | '\u{3400}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7ff}')
}

/// A font of the system that covers East Asian writing, if one is in its usual place.
fn east_asian_font() -> Option<&'static [u8]> {
    const PATHS: [&str; 9] = [
        "/usr/share/fonts/truetype/nanum/NanumGothic.ttf",
        "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/nanum/NanumGothic.ttf",
        "/System/Library/Fonts/AppleSDGothicNeo.ttc",
        "/System/Library/Fonts/Supplemental/AppleGothic.ttf",
        "C:\\Windows\\Fonts\\malgun.ttf",
    ];
    static FOUND: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let found = FOUND.get_or_init(|| PATHS.iter().find_map(|path| std::fs::read(path).ok()));
    found.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_text_is_set_in_the_font_compiled_in() {
        assert_eq!(font_for(["a", "é", "␣"]), dejavu::sans::regular());
    }

    #[test]
    fn korean_chinese_and_japanese_are_east_asian() {
        assert!("소ㅅ漢かカ".chars().all(is_east_asian));
        assert!(!"aé␣λ".chars().any(is_east_asian));
    }
}
