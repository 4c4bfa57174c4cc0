//! Recurrent layers through time: one launch for all frames, rows and directions of a layer, or one for
//! each frame.
//!
//! The products of the inputs of all frames, and each weight's gradient, are one large product each
//! (`ops/recurrent.rs`). What is left is the chain: the product of the state, the gates, the new state.
//! A *cube* works on a few rows of one direction. Where the state's weight is small, it takes them
//! through all frames: the state is in shared memory, and the weight comes from the cache, since every
//! cube reads all of it at every frame. Where it is large a few cubes would read for too long, so
//! that each frame is a launch, whose cubes share the columns as well.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{Kernel, array};
use steps::{backward, ends, forward};

pub(super) mod steps;

/// The largest weight of a state, in values, that one cube reads at every frame: 1 MiB, for which a
/// multiprocessor takes some ten microseconds. A launch takes as long.
const LARGEST_WEIGHT: usize = 1 << 18;
/// Units of a cube.
const UNITS: usize = 256;

/// The computation of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cell {
    Elman,
    Lstm,
    Gru,
}

impl Cell {
    pub(crate) fn gates(self) -> usize {
        match self {
            Cell::Elman => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }

    /// Vectors of the state's size that are kept for the way back: the gates, and the memory of an LSTM
    /// or a GRU's product of the state before its reset gate; of Elman's network the state.
    pub(crate) fn kept(self) -> usize {
        match self {
            Cell::Elman => 1,
            Cell::Lstm => 5,
            Cell::Gru => 4,
        }
    }
}

/// Sizes of a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layer {
    pub(crate) cell: Cell,
    pub(crate) batch: usize,
    pub(crate) frames: usize,
    pub(crate) d_hidden: usize,
    /// One or two.
    pub(crate) directions: usize,
}

impl Layer {
    pub(crate) fn width(&self) -> usize {
        self.cell.gates() * self.d_hidden
    }

    /// Whether the launches' limits hold.
    pub(crate) fn fits(&self) -> bool {
        self.batch <= 65535 && self.width() <= 4096
    }

    /// Whether one cube goes through all frames.
    fn persists(&self) -> bool {
        self.d_hidden * self.width() <= LARGEST_WEIGHT
    }

    /// The cubes, their units, the frames of each launch and what a unit works on at a time.
    fn grid<R: CubeRuntime>(&self, client: &ComputeClient<R>) -> Grid {
        let hardware = &client.properties().hardware;
        let most = (hardware.max_cube_dim.0 as usize).min(UNITS);
        // Few wide planes read memory side by side; a processor's narrow ones read value by value,
        // so that what was read should serve many sums.
        let is_narrow = hardware.plane_size_max <= 8;
        let memory = hardware.max_shared_memory_size.min(32768) / size_of::<f32>();
        let a_row = self.width().max(2 * self.d_hidden);
        let largest = if is_narrow { 8 } else { 4 };
        let mut rows = (1..=largest).rev();
        let rows = rows
            .find(|&rows| self.batch.is_multiple_of(rows) && rows * a_row <= memory)
            .unwrap_or(1);
        let columns = if is_narrow {
            (self.d_hidden / 16).clamp(1, 4)
        } else {
            1
        };
        let (units, stretch) = if self.persists() {
            (
                self.d_hidden.div_ceil(columns).next_multiple_of(32),
                self.frames,
            )
        } else {
            (64, 1)
        };
        let units = units.min(most);
        let blocks = if self.persists() {
            1
        } else {
            self.d_hidden.div_ceil(units * columns)
        };
        Grid {
            cubes: CubeCount::Static(
                (self.batch / rows) as u32,
                self.directions as u32,
                blocks as u32,
            ),
            units: CubeDim::new_1d(units as u32),
            stretch,
            tile: Tile { rows, columns },
        }
    }
}

/// How the work of a layer is divided.
struct Grid {
    cubes: CubeCount,
    units: CubeDim,
    /// Frames of one launch.
    stretch: usize,
    tile: Tile,
}

/// What a unit adds up at a time: all gates of some columns, for some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Tile {
    rows: usize,
    columns: usize,
}

/// The product of the inputs `[directions, batch, frames, width]`, the weight of the state
/// `[directions, d_hidden, width]`, both biases `[directions, width]` and the lengths, to the outputs
/// `[batch, frames, directions·d_hidden]`, zero past a row's length, and what is
/// [kept](Cell::kept) `[directions, batch, frames, kept·d_hidden]`.
#[derive(Debug, Clone)]
pub(crate) struct Forward(pub(crate) Layer);

impl Kernel for Forward {
    const NAME: &'static str = "sori_recurrent";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let layer = self.0;
        let client = &inputs[0].client;
        let grid = layer.grid(client);
        for first in (0..layer.frames).step_by(grid.stretch) {
            forward::launch::<R>(
                client,
                grid.cubes.clone(),
                grid.units,
                array(&inputs[0]),
                array(&inputs[1]),
                array(&inputs[2]),
                array(&inputs[3]),
                array(&inputs[4]),
                array(&outputs[0]),
                array(&outputs[1]),
                layer.batch,
                layer.frames,
                layer.directions,
                first,
                grid.stretch,
                layer.cell,
                layer.d_hidden,
                grid.tile,
            );
        }
    }
}

/// The gradient of the outputs, the outputs, what was kept, the transposed weight of the state
/// `[directions, width, d_hidden]` and the lengths, to the gradients of the input's product and, of a
/// GRU, of the state's `[directions, batch, frames, width]`, the states before each frame `[directions, batch,
/// frames, d_hidden]`, and what goes on to the frame before without a product, `[directions, batch,
/// d_hidden]`. The gradients and the states are zero past a row's length.
#[derive(Debug, Clone)]
pub(crate) struct Backward(pub(crate) Layer);

impl Kernel for Backward {
    const NAME: &'static str = "sori_recurrent_backward";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let layer = self.0;
        let client = &inputs[0].client;
        let grid = layer.grid(client);
        for done in (0..layer.frames).step_by(grid.stretch) {
            backward::launch::<R>(
                client,
                grid.cubes.clone(),
                grid.units,
                array(&inputs[0]),
                array(&inputs[1]),
                array(&inputs[2]),
                array(&inputs[3]),
                array(&inputs[4]),
                array(&outputs[0]),
                array(&outputs[1]),
                array(&outputs[2]),
                array(&outputs[3]),
                layer.batch,
                layer.frames,
                layer.directions,
                done,
                grid.stretch,
                layer.cell,
                layer.d_hidden,
                grid.tile,
            );
        }
    }
}

/// The last states `[batch, directions·d_hidden]` of the outputs and the lengths, or the gradient of
/// the outputs from that of the last states.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    pub(crate) layer: Layer,
    /// The way back.
    pub(crate) spread: bool,
}

impl Kernel for Ends {
    const NAME: &'static str = "sori_recurrent_ends";

    fn launch<R: CubeRuntime>(&self, inputs: Vec<CubeTensor<R>>, outputs: Vec<CubeTensor<R>>) {
        let layer = self.layer;
        let len = layer.directions * layer.d_hidden;
        let frames = if self.spread { layer.frames } else { 1 };
        let client = &inputs[0].client;
        ends::launch::<R>(
            client,
            CubeCount::Static(len.div_ceil(64) as u32, frames as u32, layer.batch as u32),
            CubeDim::new_1d(64),
            array(&inputs[0]),
            array(&inputs[1]),
            array(&outputs[0]),
            layer.frames,
            layer.d_hidden,
            layer.directions,
            self.spread,
        );
    }
}
