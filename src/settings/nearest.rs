//! The names that a mistyped one may stand for.

/// Names less alike than this are not offered.
const LEAST: f64 = 0.85;
/// So much less alike than the nearest, a name is not offered beside it.
const MARGIN: f64 = 0.05;
/// The most names that are offered.
const MOST: usize = 3;

/// The dotted names among `known` that `key` may stand for, the likeliest first: those that are spelled alike, and
/// those that it abbreviates, as `lr` does `train.learning_rate`. Where none is alike as a whole, its last part is
/// looked for in other groups.
pub(crate) fn nearest<'a>(key: &str, known: &'a [String]) -> Vec<&'a str> {
    let key = key.trim().to_lowercase().replace('-', "_");
    let as_a_whole = match key.contains('.') {
        true => ranked(known, |name| whole_likeness(&key, name)),
        false => Vec::new(),
    };
    match as_a_whole.is_empty() {
        true => ranked(known, |name| likeness(last(&key), last(name))),
        false => as_a_whole,
    }
}

/// The names that are alike enough, the best first, without those that are much less alike than the best.
fn ranked(known: &[String], likeness: impl Fn(&str) -> f64) -> Vec<&str> {
    let alike = known.iter().map(|name| (likeness(name), name.as_str()));
    let mut found: Vec<(f64, &str)> = alike.filter(|(likeness, _)| *likeness >= LEAST).collect();
    // The sort is stable: names that are as near stay in their order.
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let best = found.first().map_or(0.0, |(likeness, _)| *likeness);
    let near = found
        .into_iter()
        .take_while(|(likeness, _)| *likeness >= best - MARGIN);
    near.take(MOST).map(|(_, name)| name).collect()
}

/// The last part of a dotted name.
fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// How well `key` stands for `name`, part by part, from 0 to 1.
fn whole_likeness(key: &str, name: &str) -> f64 {
    if key.split('.').count() != name.split('.').count() {
        return 0.0;
    }
    let parts = key.split('.').zip(name.split('.'));
    parts.map(|(typed, part)| likeness(typed, part)).product()
}

/// How well a typed part of a name stands for a part, from 0 to 1.
fn likeness(typed: &str, part: &str) -> f64 {
    let initials = part.split('_').filter_map(|word| word.chars().next());
    match typed.len() > 1 && initials.eq(typed.chars()) {
        true => 1.0,
        false => strsim::jaro_winkler(typed, part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_offered_and_nothing_else() {
        let known = [
            "augment.noise.probability",
            "augment.speed.probability",
            "data.valid_fraction",
            "features.num_mels",
            "train.batch_size",
            "train.decay_epochs",
            "train.epochs",
            "train.learning_rate",
            "model.dropout",
        ]
        .map(String::from);
        for (key, meant) in [
            ("epochz", "train.epochs"),
            ("train.epoch", "train.epochs"),
            ("lr", "train.learning_rate"),
            ("learning-rate", "train.learning_rate"),
            ("train.lr", "train.learning_rate"),
            ("leraning_rate", "train.learning_rate"),
            ("batchsize", "train.batch_size"),
            ("BATCH_SIZE", "train.batch_size"),
            ("nummels", "features.num_mels"),
            ("model.droput", "model.dropout"),
            ("features.dropout", "model.dropout"),
            ("augment.nose.probability", "augment.noise.probability"),
        ] {
            assert_eq!(nearest(key, &known), [meant], "{key}");
        }
        for key in ["x", "", "colour", "y_axis"] {
            assert!(nearest(key, &known).is_empty(), "{key}");
        }
    }
}
