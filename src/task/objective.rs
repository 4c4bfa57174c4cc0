//! Differences between the training objective and the reported loss.

/// Differences between the training objective and the reported loss. Each task reads the fields
/// that apply to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// Share of each target that is spread over all labels or symbols ([Szegedy et al.
    /// 2015](https://arxiv.org/abs/1512.00567)).
    pub label_smoothing: f64,
    /// The weight of each class, or of each tag's presence. Empty: all equal.
    pub weights: Vec<f32>,
    /// The share of CTC in a speller's loss.
    pub ctc_weight: f64,
    /// The weight of the divergence in the bound of an autoencoder.
    pub kl_weight: f64,
    /// Added to the blank's score in CTC.
    pub blank_offset: f64,
}

/// The reported loss.
impl Default for Objective {
    fn default() -> Self {
        Self {
            label_smoothing: 0.0,
            weights: Vec::new(),
            ctc_weight: 0.0,
            kl_weight: 1.0,
            blank_offset: 0.0,
        }
    }
}
