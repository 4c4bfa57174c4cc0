//! The probabilities of symbols, step by step.

/// The probability of each symbol at each step of a recogniser that is trained by CTC.
#[derive(Clone, Debug, PartialEq)]
pub struct StepProbabilities {
    /// The symbols after the blank, which has index 0.
    pub symbols: Vec<char>,
    /// The probabilities `[steps, 1 + symbols]`; every row sums to one.
    pub rows: Vec<Vec<f32>>,
    /// The time from one step to the next, in seconds.
    pub step_s: f64,
}

impl StepProbabilities {
    /// The name of a symbol by its index; the blank has one too.
    pub(crate) fn name(&self, index: usize) -> String {
        match index.checked_sub(1).and_then(|at| self.symbols.get(at)) {
            None => "blank".to_string(),
            Some(' ') => "␣".to_string(),
            Some(symbol) => symbol.to_string(),
        }
    }
}
