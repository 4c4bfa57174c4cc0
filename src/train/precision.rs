//! Whether a device computes in the precision that is asked for.

use burn::tensor::backend::Backend;

use crate::settings::training::Precision;
use crate::{Error, Result};

/// Checks that the device computes in `precision`.
///
/// # Errors
/// When it does not.
pub(crate) fn check_precision<B: Backend>(precision: Precision, device: &B::Device) -> Result<()> {
    match precision.half() {
        Some(half) if !half.is_there::<B>(device) => Err(Error::Setting {
            key: "train.precision".to_string(),
            value: precision.to_string(),
            expected: format!(
                "it must be f32 here: this device does not compute in {precision} through the backend {}",
                B::name(device)
            ),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use burn_ndarray::NdArray;

    use super::*;

    #[test]
    fn the_cpu_refuses_half_precision_and_says_what_it_has() {
        let check = |precision| check_precision::<NdArray>(precision, &Default::default());
        check(Precision::F32).unwrap();
        for precision in [Precision::F16, Precision::Bf16] {
            let error = check(precision).unwrap_err().to_string();
            let name = precision.to_string();
            for part in ["train.precision", "f32", "ndarray", &name] {
                assert!(error.contains(part), "{error}");
            }
        }
    }
}
