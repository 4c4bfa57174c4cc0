//! A run on one page that needs nothing else: what it was, how it learned, how it did, and the
//! recordings it did worst on, to look at and listen to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use burn::tensor::backend::AutodiffBackend;
use sori_datasets::{
    FeatureConfig, FeatureExtractor, FeatureKind, Item, Target, Waveform, text::words,
};

use crate::backend::{Job, run_on};
use crate::generate::generate;
use crate::metric::{ConfusionMatrix, Edits};
use crate::picture::{Curve, confusion_picture, curves_picture, features_picture, filters_picture};
use crate::predict::{Answer, Prediction, Predictor};
use crate::train::{Checkpoint, Data, EpochRecord, thousands, time};
use crate::{BackendName, Error, Result, RunFolder};

/// The page of `run` as HTML, with the `most` recordings of its test part that its best checkpoint did
/// worst on. All of that part is predicted anew on `backend`.
///
/// # Errors
/// When the run or its data cannot be read.
pub fn report(run: &RunFolder, most: usize, backend: BackendName) -> Result<String> {
    let info = run.info()?;
    let judged = match info.task.generates() {
        true => None,
        false => Some(run_on(backend, Judge { run, most })??),
    };
    let settings = run.settings()?;
    let epochs = run.metrics()?;
    let result = run.result()?;

    let mut page = Page::default();
    let name = run.path().file_name().map_or_else(
        || run.path().display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    page.begin(&format!("{} on {}", info.model, settings.data.train));
    let mut facts = vec![
        ("run", name),
        (
            "model",
            format!("{}, {} parameters", info.model, thousands(info.params)),
        ),
        (
            "recordings",
            format!(
                "{} to train on, {} to validate, {} to test",
                info.splits.train, info.splits.valid, info.splits.test
            ),
        ),
        ("seed", info.seed.to_string()),
        ("backend", info.backend.clone()),
    ];
    match &result {
        Some(result) => {
            let took = std::time::Duration::from_secs_f64(result.seconds);
            facts.push((
                "trained",
                match result.epochs {
                    1 => format!("1 epoch, {}", time(took)),
                    epochs => format!("{epochs} epochs, {}", time(took)),
                },
            ));
            facts.push(("best checkpoint", format!("of epoch {}", result.best_epoch)));
        }
        None => facts.push(("trained", format!("{} epochs so far", epochs.len()))),
    }
    page.table(facts.iter().map(|(name, value)| [*name, value]));

    let split = match info.splits.test {
        0 => "valid",
        _ => "test",
    };
    page.heading(&format!("On the {split} part"));
    match &result {
        Some(result) => {
            let rows: Vec<_> = result.metrics.named(info.task.headline()).collect();
            page.table(
                rows.iter()
                    .map(|(name, value)| [name.as_str(), value.as_str()]),
            );
        }
        None => page.text("Training has not ended, and nothing was measured on it yet."),
    }
    if judged.as_ref().is_some_and(|judged| judged.by_windows) {
        page.text(
            "Of recordings longer than any that it learned from, the metrics are of the whole and what \
             follows is of their windows, as `sori predict` has them.",
        );
    }
    if let Some(confusion) = judged.as_ref().and_then(|judged| judged.confusion.as_ref()) {
        match confusion_picture(confusion, &info.labels)? {
            Some(png) => page.picture("Confusion matrix", &png),
            None => page.text("There are too many classes to draw which was taken for which."),
        }
    }
    if let Some(last) = epochs.last() {
        page.heading("How it learned");
        let curve = Curve {
            name: info.model.clone(),
            train_loss: epochs.iter().map(|epoch| epoch.train_loss).collect(),
            valid: epochs.iter().map(EpochRecord::headline).collect(),
        };
        let metric = last.task().headline();
        page.picture("Learning curves", &curves_picture(&[curve], metric)?);
    }
    if let Some(filters) = waveform_filters(run)? {
        page.heading("What its first layer hears");
        page.picture(
            "Frequency responses of the first convolution",
            &filters_picture(&filters, f64::from(settings.features.sample_rate_hz))?,
        );
    }
    match &judged {
        Some(judged) => {
            page.heading(&format!("What it did worst on, of {}", judged.total));
            for worst in &judged.worst {
                page.example(worst)?;
            }
        }
        None => {
            page.heading("What it makes");
            let gallery = generate(run, MADE, 0, backend)?;
            page.picture("Patches", &gallery.picture()?);
        }
    }
    page.heading("Its settings");
    page.settings(&settings.to_toml()?);
    Ok(page.end())
}

/// Patches of a model that makes some.
const MADE: usize = 16;

/// The kernels `[kernel, channels]` of a first convolution over a waveform, where the model has one.
fn waveform_filters(run: &RunFolder) -> Result<Option<Vec<Vec<f32>>>> {
    if run.settings()?.features.kind != FeatureKind::Waveform {
        return Ok(None);
    }
    let checkpoint = Checkpoint::read(&run.best_checkpoint()?)?;
    let Some(weight) = checkpoint.first_kernel() else {
        return Ok(None);
    };
    let channels = weight.shape[2];
    let values: Vec<f32> = weight.iter::<f32>().collect();
    let filter = |channel| {
        values
            .iter()
            .skip(channel)
            .step_by(channels)
            .copied()
            .collect()
    };
    Ok(Some((0..channels).map(filter).collect()))
}

/// How a run does on its test part.
struct Judged {
    total: usize,
    confusion: Option<ConfusionMatrix>,
    /// Whether some were predicted window by window.
    by_windows: bool,
    worst: Vec<Worst>,
}

/// A recording that was answered badly.
struct Worst {
    id: String,
    truth: String,
    prediction: Prediction,
    labels: Vec<String>,
    waveform: Waveform,
}

struct Judge<'a> {
    run: &'a RunFolder,
    most: usize,
}

impl Job for Judge<'_> {
    type Output = Result<Judged>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let data = Data::of_run(self.run)?;
        let (items, _) = data.held_out();
        let mut predictor = Predictor::<B::InnerBackend>::open(self.run, device)?;
        let windows = predictor.default_windows();
        let rate = self.run.settings()?.features.sample_rate_hz;
        let labels = predictor.labels().to_vec();
        let classes = items
            .iter()
            .all(|item| matches!(item.target, Target::Class(_)));
        let mut confusion =
            (classes && labels.len() > 1).then(|| ConfusionMatrix::new(labels.len()));
        let mut by_windows = false;
        let mut judged: Vec<(f64, &Item)> = Vec::with_capacity(items.len());
        for item in &items {
            let prediction = predictor.predict(&item.waveform(rate)?, windows)?;
            if let (Some(confusion), Target::Class(truth)) = (&mut confusion, &item.target) {
                confusion.add(*truth, crate::task::argmax(&prediction.scores));
            }
            let badness = badness(&item.target, &prediction, &predictor.truth(&item.target));
            by_windows |= !prediction.windows.is_empty();
            judged.push((badness, item));
        }
        // Of equals the first.
        judged.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
        judged.truncate(self.most);
        let worst = judged.into_iter().map(|(_, item)| {
            let waveform = item.waveform(rate)?;
            Ok(Worst {
                id: item.id.clone(),
                truth: predictor.truth(&item.target).to_string(),
                prediction: predictor.predict(&waveform, windows)?,
                labels: labels.clone(),
                waveform,
            })
        });
        Ok(Judged {
            total: items.len(),
            worst: worst.collect::<Result<_>>()?,
            by_windows,
            confusion,
        })
    }
}

/// How far from the truth an answer is: the cross entropy of its scores, or the word errors of a
/// transcript.
fn badness(target: &Target, prediction: &Prediction, truth: &Answer) -> f64 {
    let surprise = |probability: f32| -f64::from(probability.max(1e-12)).ln();
    let scores = &prediction.scores;
    match target {
        Target::Class(class) => surprise(scores[*class]),
        Target::Tags(tags) => {
            let each = scores.iter().enumerate().map(|(tag, &score)| {
                surprise(if tags.contains(&tag) {
                    score
                } else {
                    1.0 - score
                })
            });
            each.sum::<f64>() / scores.len().max(1) as f64
        }
        Target::Value(truth) => match prediction.answer {
            Answer::Value(value) => (value - truth).abs(),
            _ => f64::INFINITY,
        },
        Target::Text(_) => {
            let [truth, heard] = [truth, &prediction.answer].map(Answer::to_string);
            Edits::between(&words(&truth), &words(&heard)).rate()
        }
    }
}

/// The longest sound that a page holds, so that it stays one that a browser opens.
const LONGEST_S: f64 = 30.0;

/// A page of HTML.
#[derive(Default)]
struct Page(String);

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;\
color:#222}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}table{border-collapse:collapse}\
td{padding:.15rem 1rem .15rem 0;vertical-align:top}td:first-child{color:#666}img{max-width:100%}\
audio{width:100%;margin-top:.3rem}pre{overflow-x:auto;background:#f6f6f6;padding:1rem;font-size:.85rem}\
section{border-top:1px solid #ddd;padding:.8rem 0}.id{color:#666;font-size:.85rem;overflow-wrap:anywhere}";

impl Page {
    fn begin(&mut self, title: &str) {
        let title = escaped(title);
        self.add(&format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n"
        ));
    }

    fn end(mut self) -> String {
        self.add("</body></html>\n");
        self.0
    }

    fn add(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn heading(&mut self, text: &str) {
        self.add(&format!("<h2>{}</h2>\n", escaped(text)));
    }

    fn text(&mut self, text: &str) {
        self.add(&format!("<p>{}</p>\n", escaped(text)));
    }

    fn table<'a>(&mut self, rows: impl Iterator<Item = [&'a str; 2]>) {
        self.add("<table>\n");
        for [name, value] in rows {
            let [name, value] = [name, value].map(escaped);
            self.add(&format!("<tr><td>{name}</td><td>{value}</td></tr>\n"));
        }
        self.add("</table>\n");
    }

    fn picture(&mut self, name: &str, png: &[u8]) {
        let (name, data) = (escaped(name), STANDARD.encode(png));
        self.add(&format!(
            "<img alt=\"{name}\" src=\"data:image/png;base64,{data}\">\n"
        ));
    }

    fn example(&mut self, worst: &Worst) -> Result<()> {
        self.add("<section>\n");
        let mut rows = vec![
            ("is", worst.truth.clone()),
            ("heard as", worst.prediction.said(&worst.labels)),
        ];
        let mut scores: Vec<_> = worst.labels.iter().zip(&worst.prediction.scores).collect();
        scores.sort_by(|a, b| b.1.total_cmp(a.1));
        let best = scores
            .iter()
            .take(3)
            .map(|(label, score)| format!("{label} {score:.2}"));
        let best: Vec<String> = best.collect();
        if !best.is_empty() {
            rows.push(("scores", best.join(", ")));
        }
        self.table(rows.iter().map(|(name, value)| [*name, value]));
        self.add(&format!("<div class=\"id\">{}</div>\n", escaped(&worst.id)));
        let mut waveform = worst.waveform.clone();
        let longest = (LONGEST_S * f64::from(waveform.sample_rate_hz)) as usize;
        if waveform.samples.len() > longest {
            waveform.samples.truncate(longest);
            self.text(&format!("Here are the first {LONGEST_S} s of it."));
        }
        let sound = STANDARD.encode(wav(&waveform)?);
        self.add(&format!(
            "<audio controls src=\"data:audio/wav;base64,{sound}\"></audio>\n"
        ));
        let config = FeatureConfig {
            sample_rate_hz: waveform.sample_rate_hz,
            ..FeatureConfig::default()
        };
        let features = FeatureExtractor::new(&config)?.extract(&waveform)?;
        self.picture(
            "Its spectrogram",
            &features_picture(&features, &config, "")?,
        );
        self.add("</section>\n");
        Ok(())
    }

    fn settings(&mut self, toml: &str) {
        self.add(&format!(
            "<details><summary>config.toml</summary><pre>{}</pre></details>\n",
            escaped(toml)
        ));
    }
}

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

/// 16-bit samples, which every browser plays, as loud as they can be.
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
