//! The builder of an HTML page that holds its pictures and sounds, for light and dark screens.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sori_datasets::Waveform;

use super::theme::Theme;
use crate::error::{Error, Result};
use crate::metric::errors::Edit;

/// A page of HTML under construction.
#[derive(Default)]
pub(super) struct Page(String);

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#222;--paper:#fff;--faint:#666;--line:#ddd;--block:#f6f6f6;\
--gone:#b3261e;--new:#146c2e;--gone-back:#fbe4e2;--new-back:#dff3e3}\
@media(prefers-color-scheme:dark){:root{--ink:#dee0e4;--paper:#16181c;--faint:#9aa0a8;--line:#33373d;\
--block:#202329;--gone:#ff9d94;--new:#86dba0;--gone-back:#4a2320;--new-back:#1d3f28}}\
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;\
color:var(--ink);background:var(--paper)}h1{font-size:1.6rem;overflow-wrap:anywhere}\
h2{font-size:1.2rem;margin-top:2rem}h3{font-size:1rem;margin-bottom:.3rem}\
.scroll{overflow-x:auto}table{border-collapse:collapse}\
td,th{padding:.15rem 1rem .15rem 0;vertical-align:top;text-align:left}\
th{color:var(--faint);font-weight:normal;border-bottom:1px solid var(--line)}\
.facts td{overflow-wrap:anywhere}.facts td:first-child{color:var(--faint);overflow-wrap:normal}.number{text-align:right}\
img{max-width:100%;height:auto;vertical-align:middle}.wide img{min-width:44rem}\
audio{width:100%;margin-top:.3rem}\
pre{overflow-x:auto;background:var(--block);padding:1rem;font-size:.85rem}\
section{border-top:1px solid var(--line);padding:.8rem 0}\
.id,.note{color:var(--faint);font-size:.85rem;overflow-wrap:anywhere}\
.difference{font-size:1.1rem;overflow-wrap:anywhere}\
del{color:var(--gone);background:var(--gone-back)}ins{color:var(--new);background:var(--new-back)}";

/// The width from which on a picture has a scroll bar of its own on a narrow screen, in pixels.
const WIDE: u32 = 900;

impl Page {
    /// Begins the page with its title.
    pub(super) fn begin(&mut self, title: &str) {
        let title = escaped(title);
        self.add(&format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n"
        ));
    }

    /// Ends the page and returns it.
    pub(super) fn end(mut self) -> String {
        self.add("</body></html>\n");
        self.0
    }

    fn add(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// Adds a heading.
    pub(super) fn heading(&mut self, text: &str) {
        self.add(&format!("<h2>{}</h2>\n", escaped(text)));
    }

    /// Adds a heading below another.
    pub(super) fn subheading(&mut self, text: &str) {
        self.add(&format!("<h3>{}</h3>\n", escaped(text)));
    }

    /// Adds a paragraph.
    pub(super) fn text(&mut self, text: &str) {
        self.add(&format!("<p>{}</p>\n", escaped(text)));
    }

    /// Adds a paragraph in small print.
    pub(super) fn note(&mut self, text: &str) {
        self.add(&format!("<p class=\"note\">{}</p>\n", escaped(text)));
    }

    /// Adds a table of names and values.
    pub(super) fn facts<'a>(&mut self, rows: impl Iterator<Item = [&'a str; 2]>) {
        self.add("<table class=\"facts\">\n");
        for [name, value] in rows {
            let [name, value] = [name, value].map(escaped);
            self.add(&format!("<tr><td>{name}</td><td>{value}</td></tr>\n"));
        }
        self.add("</table>\n");
    }

    /// Adds a table with a line of names. The first column is text, and numbers stand in the others.
    pub(super) fn table(&mut self, names: &[&str], rows: impl Iterator<Item = Vec<String>>) {
        let line = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
            let cells = cells.enumerate().map(|(column, cell)| {
                let class = if column > 0 { " class=\"number\"" } else { "" };
                format!("<{tag}{class}>{}</{tag}>", escaped(cell))
            });
            format!("<tr>{}</tr>\n", cells.collect::<String>())
        };
        self.add("<div class=\"scroll\"><table>\n");
        self.add(&line("th", &mut names.iter().copied()));
        for row in rows {
            self.add(&line("td", &mut row.iter().map(String::as_str)));
        }
        self.add("</table></div>\n");
    }

    /// Adds a PNG picture, drawn for light and for dark screens; `name` is its text alternative.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub(super) fn picture(
        &mut self,
        name: &str,
        draw: impl Fn(Theme) -> Result<Vec<u8>>,
    ) -> Result<()> {
        let (light, dark) = (draw(Theme::Light)?, draw(Theme::Dark)?);
        let (width, height) = size_of_png(&light);
        let [light, dark] = [light, dark].map(|png| STANDARD.encode(png));
        let class = if width >= WIDE { " wide" } else { "" };
        let name = escaped(name);
        self.add(&format!(
            "<div class=\"scroll{class}\"><picture><source media=\"(prefers-color-scheme: dark)\" \
             srcset=\"data:image/png;base64,{dark}\"><img alt=\"{name}\" width=\"{width}\" \
             height=\"{height}\" src=\"data:image/png;base64,{light}\"></picture></div>\n"
        ));
        Ok(())
    }

    /// Begins a section, which a line sets apart.
    pub(super) fn begin_section(&mut self) {
        self.add("<section>\n");
    }

    /// Ends a section.
    pub(super) fn end_section(&mut self) {
        self.add("</section>\n");
    }

    /// Adds the name of a recording in small print.
    pub(super) fn id(&mut self, id: &str) {
        self.add(&format!("<div class=\"id\">{}</div>\n", escaped(id)));
    }

    /// Adds a transcript with its differences from the right one: what is missing is struck out, what was
    /// added is underlined. `between` parts the units.
    pub(super) fn difference(&mut self, edits: &[Edit<&str>], between: &str) {
        let gone = |unit: &str| format!("<del>{}</del>", escaped(unit));
        let new = |unit: &str| format!("<ins>{}</ins>", escaped(unit));
        let units = edits.iter().map(|edit| match *edit {
            Edit::Kept(unit) => escaped(unit),
            Edit::Substituted(right, heard) => format!("{}{}", gone(right), new(heard)),
            Edit::Deleted(unit) => gone(unit),
            Edit::Inserted(unit) => new(unit),
        });
        let units = units.collect::<Vec<_>>().join(between);
        self.add(&format!("<p class=\"difference\">{units}</p>\n"));
    }

    /// Adds a sound with a player.
    pub(super) fn sound(&mut self, waveform: &Waveform) -> Result<()> {
        let sound = STANDARD.encode(wav(waveform)?);
        self.add(&format!(
            "<audio controls src=\"data:audio/wav;base64,{sound}\"></audio>\n"
        ));
        Ok(())
    }

    /// Adds the settings of a run, folded up.
    pub(super) fn settings(&mut self, toml: &str) {
        self.add(&format!(
            "<details><summary>config.toml</summary><pre>{}</pre></details>\n",
            escaped(toml)
        ));
    }
}

/// Width and height of a PNG picture, which its first chunk begins with.
fn size_of_png(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| {
        let bytes = png.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes)
    };
    (number(16), number(20))
}

/// Escapes a text for HTML.
fn escaped(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut html, c| {
            match c {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                c => html.push(c),
            }
            html
        })
}

/// A WAV file of 16-bit samples, which every browser plays, normalised to the full range.
fn wav(waveform: &Waveform) -> Result<Vec<u8>> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: waveform.sample_rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let peak = waveform
        .samples
        .iter()
        .fold(1e-4_f32, |peak, v| peak.max(v.abs()));
    let bytes = || -> hound::Result<Vec<u8>> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec)?;
        for &sample in &waveform.samples {
            writer.write_sample((sample / peak * f32::from(i16::MAX)) as i16)?;
        }
        writer.finalize()?;
        Ok(bytes.into_inner())
    };
    bytes()
        .map_err(std::io::Error::other)
        .map_err(Error::io("cannot write", "a sound of the report".as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::errors::edits;

    #[test]
    fn names_cannot_break_the_page() {
        assert_eq!(
            escaped("<b> & \"it's\""),
            "&lt;b&gt; &amp; &quot;it&#39;s&quot;"
        );
    }

    #[test]
    fn differences_are_marked_word_by_word() {
        let mut page = Page::default();
        page.difference(&edits(&["a", "<b>", "c"], &["a", "x", "c", "d"]), " ");
        assert_eq!(
            page.end(),
            "<p class=\"difference\">a <del>&lt;b&gt;</del><ins>x</ins> c <ins>d</ins></p>\n\
             </body></html>\n"
        );
    }

    #[test]
    fn a_picture_is_there_in_both_colours_with_its_size() {
        let mut page = Page::default();
        let draw = |theme| super::super::canvas::Canvas::new(20, 10, theme)?.to_png();
        page.picture("a", draw).unwrap();
        let html = page.end();
        assert!(html.contains("width=\"20\" height=\"10\""), "{html}");
        assert!(html.contains("prefers-color-scheme: dark"));
    }
}
