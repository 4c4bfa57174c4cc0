//! What a cube does at each frame of a recurrent layer, forward and backward.
//!
//! Each unit has columns of its own: it adds up their products tile by tile, leaves the sums where the
//! gates will be, and then takes the step of each of its columns. Units hand values to one another in
//! shared memory alone.
#![allow(
    missing_docs,
    reason = "the functions that launch a kernel are made by a macro"
)]

use cubecl::prelude::*;

use super::{Cell, Tile};

#[cube]
pub(in crate::gpu) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// By the exponential of a number that is not positive: some drivers' own overflows.
#[cube]
pub(in crate::gpu) fn tanh(x: f32) -> f32 {
    let e = (-2.0 * x.abs()).exp();
    let y = (1.0 - e) / (1.0 + e);
    select(x < 0.0, -y, y)
}

#[cube(launch)]
pub(super) fn forward(
    projected: &Array<f32>,
    weight: &Array<f32>,
    bias_input: &Array<f32>,
    bias_state: &Array<f32>,
    lengths: &Array<i32>,
    outputs: &mut Array<f32>,
    kept: &mut Array<f32>,
    batch: usize,
    frames: usize,
    directions: usize,
    first: usize,
    stretch: usize,
    #[comptime] cell: Cell,
    #[comptime] d_hidden: usize,
    #[comptime] tile: Tile,
) {
    let gates = comptime!(cell.gates());
    let (rows, columns) = comptime!((tile.rows, tile.columns));
    let width = comptime!(cell.gates() * d_hidden);
    let line = comptime!(cell.kept() * d_hidden);
    let first_row = CUBE_POS_X as usize * rows;
    let direction = CUBE_POS_Y as usize;
    let is_backward = direction == 1;
    let units = CUBE_DIM_X as usize;
    let unit = UNIT_POS_X as usize;
    let from = CUBE_POS_Z as usize * units * columns + unit;
    let to_next = CUBE_COUNT_Z as usize * units * columns;
    let of_direction = direction * d_hidden * width;
    let columns_of_unit = (d_hidden + to_next - 1) / to_next * columns;
    // The states before a frame and after it, in turns.
    let mut states = SharedMemory::<f32>::new(comptime!(2 * rows * d_hidden));

    let mut index = unit;
    while index < rows * d_hidden {
        let row = first_row + index / d_hidden;
        let length = lengths[row] as usize;
        let mut state = f32::new(0.0);
        if first > 0 && first < length {
            let before = select(is_backward, length - first, first - 1);
            let out = ((row * frames + before) * directions + direction) * d_hidden;
            state = outputs[out + index % d_hidden];
        }
        states[(first % 2) * rows * d_hidden + index] = state;
        index += units;
    }
    sync_cube();

    for frame in first..first + stretch {
        let before = (frame % 2) * rows * d_hidden;
        let now = rows * d_hidden - before;
        // The product of the states goes to where the gates will be: only this unit reads it there.
        let mut tile_from = from;
        while tile_from < d_hidden {
            let mut sums = Array::<f32>::new(comptime!(rows * columns * gates));
            #[unroll]
            for place in 0..rows * columns * gates {
                sums[place] = f32::new(0.0);
            }
            for k in 0..d_hidden {
                let mut of_rows = Array::<f32>::new(rows);
                #[unroll]
                for r in 0..rows {
                    of_rows[r] = states[before + r * d_hidden + k];
                }
                #[unroll]
                for place in 0..columns * gates {
                    let hidden = min(tile_from + place / gates * units, d_hidden - 1);
                    let column = place % gates * d_hidden + hidden;
                    let factor = weight[of_direction + k * width + column];
                    #[unroll]
                    for r in 0..rows {
                        sums[r * columns * gates + place] += of_rows[r] * factor;
                    }
                }
            }
            #[unroll]
            for r in 0..rows {
                let row = first_row + r;
                let time = time_of(frame, lengths[row] as usize, is_backward);
                let to = ((direction * batch + row) * frames + time) * line;
                #[unroll]
                for place in 0..columns * gates {
                    let hidden = tile_from + place / gates * units;
                    if hidden < d_hidden {
                        kept[to + place % gates * d_hidden + hidden] =
                            sums[r * columns * gates + place];
                    }
                }
            }
            tile_from += to_next;
        }
        let mut place = 0usize;
        while place < rows * columns_of_unit {
            let row = place % rows;
            let hidden = hidden_of(place / rows, columns, units, from, to_next);
            let of_row = before + row * d_hidden;
            let row = first_row + row;
            let length = lengths[row] as usize;
            let time = time_of(frame, length, is_backward);
            let at = (direction * batch + row) * frames + time;
            let out = ((row * frames + time) * directions + direction) * d_hidden + hidden;
            let to = at * line + hidden;
            let mut state = f32::new(0.0);
            if hidden < d_hidden {
                if frame < length {
                    let mut inputs = Array::<f32>::new(gates);
                    let mut recurred = Array::<f32>::new(gates);
                    #[unroll]
                    for gate in 0..gates {
                        let column = gate * d_hidden + hidden;
                        let bias = direction * width + column;
                        inputs[gate] = projected[at * width + column] + bias_input[bias];
                        recurred[gate] = kept[to + gate * d_hidden] + bias_state[bias];
                    }
                    match cell {
                        Cell::Elman => {
                            state = tanh(inputs[0] + recurred[0]);
                            kept[to] = state;
                        }
                        Cell::Lstm => {
                            let i = sigmoid(inputs[0] + recurred[0]);
                            let f = sigmoid(inputs[1] + recurred[1]);
                            let g = tanh(inputs[2] + recurred[2]);
                            let o = sigmoid(inputs[3] + recurred[3]);
                            let mut memory = i * g;
                            if frame > 0 {
                                let last = select(is_backward, at + 1, at - 1);
                                memory += f * kept[last * line + 4 * d_hidden + hidden];
                            }
                            state = o * tanh(memory);
                            kept[to] = i;
                            kept[to + d_hidden] = f;
                            kept[to + 2 * d_hidden] = g;
                            kept[to + 3 * d_hidden] = o;
                            kept[to + 4 * d_hidden] = memory;
                        }
                        Cell::Gru => {
                            let r = sigmoid(inputs[0] + recurred[0]);
                            let z = sigmoid(inputs[1] + recurred[1]);
                            let n = tanh(inputs[2] + r * recurred[2]);
                            state = n + z * (states[of_row + hidden] - n);
                            kept[to] = r;
                            kept[to + d_hidden] = z;
                            kept[to + 2 * d_hidden] = n;
                            kept[to + 3 * d_hidden] = recurred[2];
                        }
                    }
                    states[of_row - before + now + hidden] = state;
                }
                outputs[out] = state;
            }
            place += 1;
        }
        sync_cube();
    }
}

/// The place in time of a row's frame: rows go backward from their own last one.
#[cube]
fn time_of(frame: usize, length: usize, is_backward: bool) -> usize {
    select(is_backward && frame < length, length - 1 - frame, frame)
}

/// The column of a unit that comes at this place among its own, tile by tile.
#[cube]
fn hidden_of(
    place: usize,
    #[comptime] columns: usize,
    units: usize,
    from: usize,
    to_next: usize,
) -> usize {
    from + place / columns * to_next + place % columns * units
}

#[cube(launch)]
pub(super) fn backward(
    slopes: &Array<f32>,
    outputs: &Array<f32>,
    kept: &Array<f32>,
    weight: &Array<f32>,
    lengths: &Array<i32>,
    of_inputs: &mut Array<f32>,
    of_states: &mut Array<f32>,
    befores: &mut Array<f32>,
    carried: &mut Array<f32>,
    batch: usize,
    frames: usize,
    directions: usize,
    done: usize,
    stretch: usize,
    #[comptime] cell: Cell,
    #[comptime] d_hidden: usize,
    #[comptime] tile: Tile,
) {
    let (rows, columns) = comptime!((tile.rows, tile.columns));
    let gates = comptime!(cell.gates());
    let width = comptime!(cell.gates() * d_hidden);
    let line = comptime!(cell.kept() * d_hidden);
    let is_gru = comptime!(cell == Cell::Gru);
    let first_row = CUBE_POS_X as usize * rows;
    let direction = CUBE_POS_Y as usize;
    let is_backward = direction == 1;
    let units = CUBE_DIM_X as usize;
    let unit = UNIT_POS_X as usize;
    let from = CUBE_POS_Z as usize * units * columns + unit;
    let to_next = CUBE_COUNT_Z as usize * units * columns;
    let of_direction = direction * d_hidden * width;
    let columns_of_unit = (d_hidden + to_next - 1) / to_next * columns;
    // The gradients of the state's product at the frame that follows; zero after a row's last.
    let mut following = SharedMemory::<f32>::new(comptime!(rows * width));

    let mut index = unit;
    while index < rows * width {
        let row = first_row + index / width;
        let length = lengths[row] as usize;
        let mut slope = f32::new(0.0);
        // The frame that the launch before this one ended with.
        let frame = frames - done;
        if done > 0 && frame < length {
            let time = select(is_backward, length - 1 - frame, frame);
            let at = ((direction * batch + row) * frames + time) * width + index % width;
            slope = if is_gru { of_states[at] } else { of_inputs[at] };
        }
        following[index] = slope;
        index += units;
    }
    sync_cube();

    for step in done..done + stretch {
        let frame = frames - 1 - step;
        let mut tile_from = from;
        while tile_from < d_hidden {
            let mut sums = Array::<f32>::new(comptime!(rows * columns));
            #[unroll]
            for place in 0..rows * columns {
                sums[place] = f32::new(0.0);
            }
            for k in 0..width {
                let mut of_rows = Array::<f32>::new(rows);
                #[unroll]
                for r in 0..rows {
                    of_rows[r] = following[r * width + k];
                }
                #[unroll]
                for c in 0..columns {
                    let hidden = min(tile_from + c * units, d_hidden - 1);
                    let factor = weight[of_direction + k * d_hidden + hidden];
                    #[unroll]
                    for r in 0..rows {
                        sums[r * columns + c] += of_rows[r] * factor;
                    }
                }
            }
            #[unroll]
            for r in 0..rows {
                let row = first_row + r;
                let time = time_of(frame, lengths[row] as usize, is_backward);
                let to = ((direction * batch + row) * frames + time) * width;
                #[unroll]
                for c in 0..columns {
                    let hidden = tile_from + c * units;
                    if hidden < d_hidden {
                        of_inputs[to + hidden] = sums[r * columns + c];
                    }
                }
            }
            tile_from += to_next;
        }
        let mut place = 0usize;
        while place < rows * columns_of_unit {
            let row = first_row + place % rows;
            let hidden = hidden_of(place / rows, columns, units, from, to_next);
            let length = lengths[row] as usize;
            let time = time_of(frame, length, is_backward);
            let at = (direction * batch + row) * frames + time;
            let stride = directions * d_hidden;
            let out = ((row * frames + time) * directions + direction) * d_hidden + hidden;
            let to = at * width + hidden;
            if hidden < d_hidden {
                let mut before = f32::new(0.0);
                if frame < length {
                    // Of what comes before in the row's own direction.
                    let last = select(is_backward, at + 1, at - 1);
                    if frame > 0 {
                        before = outputs[select(is_backward, out + stride, out - stride)];
                    }
                    let on = (direction * batch + row) * d_hidden + hidden;
                    let mut slope = slopes[out] + of_inputs[to];
                    let mut memory = f32::new(0.0);
                    if comptime!(cell != Cell::Elman) {
                        if frame + 1 < length {
                            memory = carried[on];
                        }
                    }
                    let of = at * line + hidden;
                    match cell {
                        Cell::Elman => {
                            let state = kept[of];
                            of_inputs[to] = slope * (1.0 - state * state);
                        }
                        Cell::Lstm => {
                            let i = kept[of];
                            let f = kept[of + d_hidden];
                            let g = kept[of + 2 * d_hidden];
                            let o = kept[of + 3 * d_hidden];
                            let squashed = tanh(kept[of + 4 * d_hidden]);
                            let mut old = f32::new(0.0);
                            if frame > 0 {
                                old = kept[last * line + 4 * d_hidden + hidden];
                            }
                            memory += slope * o * (1.0 - squashed * squashed);
                            of_inputs[to] = memory * g * i * (1.0 - i);
                            of_inputs[to + d_hidden] = memory * old * f * (1.0 - f);
                            of_inputs[to + 2 * d_hidden] = memory * i * (1.0 - g * g);
                            of_inputs[to + 3 * d_hidden] = slope * squashed * o * (1.0 - o);
                            carried[on] = memory * f;
                        }
                        Cell::Gru => {
                            slope += memory;
                            let r = kept[of];
                            let z = kept[of + d_hidden];
                            let n = kept[of + 2 * d_hidden];
                            let of_n = slope * (1.0 - z) * (1.0 - n * n);
                            let of_r = of_n * kept[of + 3 * d_hidden] * r * (1.0 - r);
                            let of_z = slope * (before - n) * z * (1.0 - z);
                            of_inputs[to] = of_r;
                            of_inputs[to + d_hidden] = of_z;
                            of_inputs[to + 2 * d_hidden] = of_n;
                            of_states[to] = of_r;
                            of_states[to + d_hidden] = of_z;
                            of_states[to + 2 * d_hidden] = of_n * r;
                            carried[on] = slope * z;
                        }
                    }
                } else {
                    #[unroll]
                    for gate in 0..gates {
                        of_inputs[to + gate * d_hidden] = f32::new(0.0);
                        if is_gru {
                            of_states[to + gate * d_hidden] = f32::new(0.0);
                        }
                    }
                }
                befores[at * d_hidden + hidden] = before;
            }
            place += 1;
        }
        sync_cube();
        // For the next frame of this launch, whose cube works on all columns.
        if stretch > 1 {
            let mut hidden = from;
            while hidden < d_hidden {
                #[unroll]
                for r in 0..rows {
                    let row = first_row + r;
                    let time = time_of(frame, lengths[row] as usize, is_backward);
                    let at = ((direction * batch + row) * frames + time) * width;
                    #[unroll]
                    for gate in 0..gates {
                        let to = gate * d_hidden + hidden;
                        following[r * width + to] = if is_gru {
                            of_states[at + to]
                        } else {
                            of_inputs[at + to]
                        };
                    }
                }
                hidden += units;
            }
            sync_cube();
        }
    }
}

#[cube(launch)]
pub(super) fn ends(
    values: &Array<f32>,
    lengths: &Array<i32>,
    output: &mut Array<f32>,
    frames: usize,
    d_hidden: usize,
    directions: usize,
    #[comptime] spread: bool,
) {
    let len = directions * d_hidden;
    let at = ABSOLUTE_POS_X as usize;
    let frame = CUBE_POS_Y as usize;
    let row = CUBE_POS_Z as usize;
    let length = lengths[row] as usize;
    if at < len {
        // Forward a row ends with its last frame, backward with its first.
        let mut end = 0usize;
        if at < d_hidden && length > 0 {
            end = length - 1;
        }
        if spread {
            let mut slope = f32::new(0.0);
            if frame == end && length > 0 {
                slope = values[row * len + at];
            }
            output[(row * frames + frame) * len + at] = slope;
        } else {
            let mut state = f32::new(0.0);
            if length > 0 {
                state = values[(row * frames + end) * len + at];
            }
            output[row * len + at] = state;
        }
    }
}
