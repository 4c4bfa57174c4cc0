//! The sum of a value over all units of a cube.

use cubecl::prelude::*;

/// Units of a cube that sums.
pub(crate) const UNITS: u32 = 256;

/// The sum over all units of the cube, in a fixed order; for the first unit.
#[cube]
pub(crate) fn sum_of_units(value: f32) -> f32 {
    let unit = UNIT_POS_X as usize;
    let mut values = SharedMemory::<f32>::new(UNITS as usize);
    values[unit] = value;
    sync_cube();
    let mut sum = f32::new(0.0);
    if unit == 0 {
        for other in 0..UNITS as usize {
            sum += values[other];
        }
    }
    sum
}
