//! Power to decibels.

/// `10 log10(max(power, floor))` in place, as `librosa.power_to_db` with `ref = 1`; what lies
/// more than `top_db` below the largest is raised to that (0: nothing is).
pub(super) fn power_to_db(values: &mut [f32], floor: f32, top_db: f64) {
    let mut loudest = f32::NEG_INFINITY;
    for value in values.iter_mut() {
        *value = 10.0 * value.max(floor).log10();
        loudest = loudest.max(*value);
    }
    if top_db > 0.0 {
        let lowest = loudest - top_db as f32;
        for value in values {
            *value = value.max(lowest);
        }
    }
}
