//! The forward-backward table of CTC by hand, for an example small enough to read.

/// Probabilities of blank, a and b at each of four steps.
pub const PROBABILITIES: [[f64; 3]; 4] = [
    [0.5, 0.4, 0.1],
    [0.2, 0.6, 0.2],
    [0.4, 0.3, 0.3],
    [0.2, 0.1, 0.7],
];

/// The table of a transcript.
pub struct ForwardBackward {
    /// The symbol of each state: blanks and labels in turn.
    pub states: Vec<usize>,
    /// `α(t, s)`: the probability of all beginnings of paths that are in state `s` at step `t`.
    pub alpha: Vec<Vec<f64>>,
    /// `β(t, s)`: the probability of all that may follow.
    pub beta: Vec<Vec<f64>>,
    /// The probability of the transcript.
    pub probability: f64,
}

impl ForwardBackward {
    /// The table of `labels`, given the probabilities of the symbols at each step.
    pub fn new(probabilities: &[[f64; 3]], labels: &[usize]) -> Self {
        let mut states = vec![0];
        for &label in labels {
            states.extend([label, 0]);
        }
        let count = states.len();
        // From the blank between two different labels one may be skipped.
        let skips = |s: usize| s >= 2 && states[s] != 0 && states[s] != states[s - 2];
        let mut alpha: Vec<Vec<f64>> = Vec::new();
        for step in probabilities {
            let arrives = |s: usize| match alpha.last() {
                None => f64::from(u8::from(s < 2)),
                Some(before) => {
                    let next = if s >= 1 { before[s - 1] } else { 0.0 };
                    let skipped = if skips(s) { before[s - 2] } else { 0.0 };
                    before[s] + next + skipped
                }
            };
            let row = (0..count).map(|s| arrives(s) * step[states[s]]).collect();
            alpha.push(row);
        }
        let ends = |s: usize| s + 2 >= count;
        let mut beta = vec![(0..count).map(|s| f64::from(u8::from(ends(s)))).collect()];
        for step in probabilities[1..].iter().rev() {
            let after: &Vec<f64> = &beta[beta.len() - 1];
            let leaves = |s: usize| {
                let to = |s: usize| after[s] * step[states[s]];
                let next = if s + 1 < count { to(s + 1) } else { 0.0 };
                let skipped = if s + 2 < count && skips(s + 2) {
                    to(s + 2)
                } else {
                    0.0
                };
                to(s) + next + skipped
            };
            beta.push((0..count).map(leaves).collect());
        }
        beta.reverse();
        let last = &alpha[alpha.len() - 1];
        let probability = (0..count).filter(|&s| ends(s)).map(|s| last[s]).sum();
        Self {
            states,
            alpha,
            beta,
            probability,
        }
    }

    /// `P(symbol at step | transcript)` of each symbol at each step.
    pub fn occupied(&self) -> Vec<[f64; 3]> {
        let rows = self.alpha.iter().zip(&self.beta);
        rows.map(|(alpha, beta)| {
            let mut row = [0.0; 3];
            for (s, &symbol) in self.states.iter().enumerate() {
                row[symbol] += alpha[s] * beta[s] / self.probability;
            }
            row
        })
        .collect()
    }
}

/// Every path of so many steps, with its probability and its transcript: repetitions merged, then blanks
/// removed.
pub fn paths(probabilities: &[[f64; 3]]) -> Vec<(Vec<usize>, f64, Vec<usize>)> {
    let mut paths = vec![(Vec::new(), 1.0)];
    for step in probabilities {
        let longer = |(path, probability): &(Vec<usize>, f64)| {
            let (path, probability) = (path.clone(), *probability);
            [0, 1, 2].map(|symbol| ([&path[..], &[symbol]].concat(), probability * step[symbol]))
        };
        paths = paths.iter().flat_map(longer).collect();
    }
    let read = |path: &Vec<usize>| {
        let mut merged = path.clone();
        merged.dedup();
        merged.retain(|&symbol| symbol != 0);
        merged
    };
    paths
        .into_iter()
        .map(|(path, probability)| {
            let transcript = read(&path);
            (path, probability, transcript)
        })
        .collect()
}
