//! The builder of an HTML page that holds its pictures and sounds.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sori_datasets::Waveform;

use crate::error::{Error, Result};

/// A page of HTML under construction.
#[derive(Default)]
pub(super) struct Page(String);

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;\
color:#222}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}table{border-collapse:collapse}\
td{padding:.15rem 1rem .15rem 0;vertical-align:top}td:first-child{color:#666}img{max-width:100%}\
audio{width:100%;margin-top:.3rem}pre{overflow-x:auto;background:#f6f6f6;padding:1rem;font-size:.85rem}\
section{border-top:1px solid #ddd;padding:.8rem 0}.id{color:#666;font-size:.85rem;overflow-wrap:anywhere}";

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

    /// Adds a paragraph.
    pub(super) fn text(&mut self, text: &str) {
        self.add(&format!("<p>{}</p>\n", escaped(text)));
    }

    /// Adds a table of names and values.
    pub(super) fn table<'a>(&mut self, rows: impl Iterator<Item = [&'a str; 2]>) {
        self.add("<table>\n");
        for [name, value] in rows {
            let [name, value] = [name, value].map(escaped);
            self.add(&format!("<tr><td>{name}</td><td>{value}</td></tr>\n"));
        }
        self.add("</table>\n");
    }

    /// Adds a PNG picture; `name` is its text alternative.
    pub(super) fn picture(&mut self, name: &str, png: &[u8]) {
        let (name, data) = (escaped(name), STANDARD.encode(png));
        self.add(&format!(
            "<img alt=\"{name}\" src=\"data:image/png;base64,{data}\">\n"
        ));
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

    #[test]
    fn names_cannot_break_the_page() {
        assert_eq!(
            escaped("<b> & \"it's\""),
            "&lt;b&gt; &amp; &quot;it&#39;s&quot;"
        );
    }
}
