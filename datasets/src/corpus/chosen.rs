//! Choosing a fraction of the recordings by a hash of their names.

/// The rank of a name in choices of a seed: whatever else there is, it stays.
pub(super) fn rank(name: &str, seed: u64) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(name.as_bytes());
    *hasher.finalize().as_bytes()
}

/// Chooses a `fraction` of names, at least one of two or more and never all, by a hash of each
/// name and the seed: whatever else there is, a name's rank stays. Of a name that occurs several
/// times all or none are chosen. Returns their indices.
pub(super) fn chosen_by_name(names: &[&str], fraction: f64, seed: u64) -> Vec<usize> {
    if names.len() < 2 || fraction.is_nan() || fraction <= 0.0 {
        return Vec::new();
    }
    let count = ((names.len() as f64 * fraction).round() as usize).clamp(1, names.len() - 1);
    let mut ranked: Vec<([u8; 32], usize)> = names
        .iter()
        .enumerate()
        .map(|(index, name)| (rank(name, seed), index))
        .collect();
    ranked.sort_unstable();
    let same = |end: usize| ranked[end].0 == ranked[end - 1].0;
    let mut end = count;
    while end < ranked.len() && same(end) {
        end += 1;
    }
    if end == ranked.len() {
        end -= 1;
        while end > 0 && same(end) {
            end -= 1;
        }
    }
    ranked
        .into_iter()
        .take(end)
        .map(|(_, index)| index)
        .collect()
}
