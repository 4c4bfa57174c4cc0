//! The innermost loops of every matrix product: a tile of 8 rows by 32 columns kept in registers.
//!
//! One layout serves every instruction set, so that packed operands need not know which one runs:
//! AVX-512 holds the tile in 16 registers, AVX2 walks it in four strips of 8 columns, and the
//! portable loop leaves it to the compiler (which has NEON at hand on aarch64).

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// Rows of a tile.
pub(crate) const TILE_ROWS: usize = 8;
/// Columns of a tile.
pub(crate) const TILE_COLUMNS: usize = 32;

/// The sums of one tile.
pub(crate) type Tile<T> = [[T; TILE_COLUMNS]; TILE_ROWS];

/// Initial values of a product's output.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a, T> {
    Zero,
    /// The same values in each row.
    Bias(&'a [T]),
    /// The values that the output holds.
    Output,
}

/// The part of an output that a tile is computed for.
pub(crate) struct Part<'a, T> {
    /// Where each row begins; those past `count` are unused.
    pub(crate) rows: [*mut T; TILE_ROWS],
    /// Rows there are, at most 8.
    pub(crate) count: usize,
    /// Values of a row, at most 32.
    pub(crate) width: usize,
    /// What the sums are added to; a bias is of these columns.
    pub(crate) start: Start<'a, T>,
}

impl<T: Real> Part<'_, T> {
    /// Adds the sums to the start.
    ///
    /// # Safety
    /// Each row must have `width` values that nobody else reads or writes.
    pub(super) unsafe fn finish(&self, tile: &Tile<T>) {
        for (&row, sums) in self.rows[..self.count].iter().zip(tile) {
            // SAFETY: by the contract.
            let out = unsafe { std::slice::from_raw_parts_mut(row, self.width) };
            match self.start {
                Start::Zero => out.copy_from_slice(&sums[..self.width]),
                Start::Bias(bias) => {
                    for ((out, &bias), &sum) in out.iter_mut().zip(bias).zip(sums) {
                        *out = bias + sum;
                    }
                }
                Start::Output => {
                    for (out, &sum) in out.iter_mut().zip(sums) {
                        *out += sum;
                    }
                }
            }
        }
    }
}

/// Panels that a single row is multiplied with at once: eight lanes of sums, so that none waits for another.
pub(crate) const ROW_PANELS: usize = 4;

/// The columns of a single row of an output, and the columns of the right operand that they are made of.
pub(crate) struct Piece<'a, T> {
    /// The first value of the right operand's columns.
    pub(crate) b: *const T,
    /// The first value of the output.
    pub(crate) out: *mut T,
    /// Columns, at most 32.
    pub(crate) width: usize,
    /// What the sums are added to; a bias is of these columns.
    pub(crate) start: Start<'a, T>,
}

impl<'a, T: Real> Piece<'a, T> {
    /// The same as a part of one row.
    fn part(&self) -> Part<'a, T> {
        Part {
            rows: [self.out; TILE_ROWS],
            count: 1,
            width: self.width,
            start: self.start,
        }
    }
}

/// A number that the kernels compute with: `f32` in use, `f64` where finite differences check them.
pub(crate) trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;

    /// The nearest value.
    fn from_f64(value: f64) -> Self;
    /// The same value, or the nearest.
    fn to_f64(self) -> f64;
    /// `eˣ`.
    fn exp(self) -> Self;
    /// The natural logarithm of a number above zero.
    fn ln(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Buffers of this number that wait for their next use.
    fn pool() -> &'static super::buffer_pool::Pool<Self>;

    /// `tile[i][j] += Σ_r Σ_k a[rows[i] + runs[r] + k] · b[(r · len + k) · 32 + j]`, `k` below `len`.
    ///
    /// # Safety
    /// `a` must have `len` values from each sum of one of `rows` and one of `runs`, and `b` as many
    /// rows of 32 values as there are terms.
    unsafe fn rows_times_panel(
        tile: &mut Tile<Self>,
        a: *const Self,
        rows: &[usize; TILE_ROWS],
        runs: &[usize],
        len: usize,
        b: *const Self,
    ) {
        for (r, run) in runs.iter().enumerate() {
            for k in 0..len {
                for (sums, row) in tile.iter_mut().zip(rows) {
                    for (j, sum) in sums.iter_mut().enumerate() {
                        let b = b.wrapping_add((r * len + k) * TILE_COLUMNS + j);
                        // SAFETY: `k < len` and `j < 32`; the caller vouches for both operands.
                        unsafe { *sum += *a.add(row + run + k) * *b };
                    }
                }
            }
        }
    }

    /// `out[j] = start[j] + Σ_r Σ_k a[runs[r] + k] · b[(r · len + k) · stride + j]` for each piece: one row
    /// times columns that need not be packed, with the bits of [`Self::rows_times_panel_into`].
    ///
    /// # Safety
    /// There may be 1 to [`ROW_PANELS`] pieces. `a` must have `len` values from each of `runs`. Each `b` must
    /// have `width` values for each term, `stride` apart, and each `out` as many that nobody else reads or writes.
    unsafe fn row_times_panels(
        pieces: &[Piece<'_, Self>],
        a: *const Self,
        runs: &[usize],
        len: usize,
        stride: usize,
    ) {
        // SAFETY: the caller's contract.
        unsafe { row_times_panels(pieces, a, runs, len, stride) };
    }

    /// `tile[i][j] += Σ_r a[rows[r] + i] · b[r · 32 + j]`, over all `rows`.
    ///
    /// # Safety
    /// `a` must have 8 values from each of `rows`, and `b` 32 values for each of them.
    unsafe fn columns_times_panel(
        tile: &mut Tile<Self>,
        a: *const Self,
        rows: &[usize],
        b: *const Self,
    ) {
        for (r, row) in rows.iter().enumerate() {
            for (i, sums) in tile.iter_mut().enumerate() {
                for (j, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: `i < 8`, `j < 32` and `r` counts `rows`; the caller vouches for both
                    // operands.
                    unsafe { *sum += *a.add(row + i) * *b.add(r * TILE_COLUMNS + j) };
                }
            }
        }
    }

    /// `out[i][j] = start[i][j] +` the sums of [`Self::rows_times_panel`].
    ///
    /// # Safety
    /// As there, and each row of `out` must have `width` values that nobody else reads or writes.
    unsafe fn rows_times_panel_into(
        out: &Part<'_, Self>,
        a: *const Self,
        rows: &[usize; TILE_ROWS],
        runs: &[usize],
        len: usize,
        b: *const Self,
    ) {
        let mut tile = [[Self::ZERO; TILE_COLUMNS]; TILE_ROWS];
        // SAFETY: the caller's contract.
        unsafe {
            Self::rows_times_panel(&mut tile, a, rows, runs, len, b);
            out.finish(&tile);
        }
    }

    /// `out[i][j] = start[i][j] +` the sums of [`Self::columns_times_panel`].
    ///
    /// # Safety
    /// As there, and each row of `out` must have `width` values that nobody else reads or writes.
    unsafe fn columns_times_panel_into(
        out: &Part<'_, Self>,
        a: *const Self,
        rows: &[usize],
        b: *const Self,
    ) {
        let mut tile = [[Self::ZERO; TILE_COLUMNS]; TILE_ROWS];
        // SAFETY: the caller's contract.
        unsafe {
            Self::columns_times_panel(&mut tile, a, rows, b);
            out.finish(&tile);
        }
    }
}

/// [`Real::row_times_panels`] for any number.
///
/// # Safety
/// As there.
unsafe fn row_times_panels<T: Real>(
    pieces: &[Piece<'_, T>],
    a: *const T,
    runs: &[usize],
    len: usize,
    stride: usize,
) {
    for piece in pieces {
        let mut tile = [[T::ZERO; TILE_COLUMNS]; TILE_ROWS];
        for (r, run) in runs.iter().enumerate() {
            for k in 0..len {
                let b = piece.b.wrapping_add((r * len + k) * stride);
                for (j, sum) in tile[0][..piece.width].iter_mut().enumerate() {
                    // SAFETY: by the contract.
                    unsafe { *sum += *a.add(run + k) * *b.add(j) };
                }
            }
        }
        // SAFETY: by the contract.
        unsafe { piece.part().finish(&tile) };
    }
}

macro_rules! real {
    ($type:ident { $($special:item)* }) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $type::sqrt(self)
            }
            fn pool() -> &'static super::buffer_pool::Pool<Self> {
                static POOL: super::buffer_pool::Pool<$type> = super::buffer_pool::Pool::new();
                &POOL
            }
            $($special)*
        }
    };
}

real! { f64 {
    fn exp(self) -> Self {
        f64::exp(self)
    }
    fn ln(self) -> Self {
        f64::ln(self)
    }
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
} }

real! { f32 {
    #[inline(always)]
    fn exp(self) -> Self {
        super::math::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        super::math::ln(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        super::math::tanh(self)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    unsafe fn rows_times_panel(
        tile: &mut Tile<Self>,
        a: *const Self,
        rows: &[usize; TILE_ROWS],
        runs: &[usize],
        len: usize,
        b: *const Self,
    ) {
        // SAFETY: the processor has what each branch asks for; the caller vouches for the rest.
        unsafe {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                x86::rows_times_panel_avx2(tile, a, rows, runs, len, b);
            } else {
                x86::rows_times_panel_baseline(tile, a, rows, runs, len, b);
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    unsafe fn columns_times_panel(
        tile: &mut Tile<Self>,
        a: *const Self,
        rows: &[usize],
        b: *const Self,
    ) {
        // SAFETY: as in `rows_times_panel`.
        unsafe {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                x86::columns_times_panel_avx2(tile, a, rows, b);
            } else {
                x86::columns_times_panel_baseline(tile, a, rows, b);
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    unsafe fn rows_times_panel_into(
        out: &Part<'_, Self>,
        a: *const Self,
        rows: &[usize; TILE_ROWS],
        runs: &[usize],
        len: usize,
        b: *const Self,
    ) {
        // SAFETY: as in `rows_times_panel`.
        unsafe {
            if is_x86_feature_detected!("avx512f") {
                x86::rows_times_panel_avx512(out, a, rows, runs, len, b);
                return;
            }
            let mut tile = [[0.0; TILE_COLUMNS]; TILE_ROWS];
            Self::rows_times_panel(&mut tile, a, rows, runs, len, b);
            out.finish(&tile);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    unsafe fn row_times_panels(
        pieces: &[Piece<'_, Self>],
        a: *const Self,
        runs: &[usize],
        len: usize,
        stride: usize,
    ) {
        // SAFETY: as in `rows_times_panel`.
        unsafe {
            if is_x86_feature_detected!("avx512f") {
                x86::row_times_panels_avx512(pieces, a, runs, len, stride);
            } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                for pieces in pieces.chunks(2) {
                    x86::row_times_panels_avx2(pieces, a, runs, len, stride);
                }
            } else {
                row_times_panels(pieces, a, runs, len, stride);
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    unsafe fn columns_times_panel_into(
        out: &Part<'_, Self>,
        a: *const Self,
        rows: &[usize],
        b: *const Self,
    ) {
        // SAFETY: as in `rows_times_panel`.
        unsafe {
            if is_x86_feature_detected!("avx512f") {
                x86::columns_times_panel_avx512(out, a, rows, b);
                return;
            }
            let mut tile = [[0.0; TILE_COLUMNS]; TILE_ROWS];
            Self::columns_times_panel(&mut tile, a, rows, b);
            out.finish(&tile);
        }
    }
} }

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Part, Piece, ROW_PANELS, Start, TILE_COLUMNS, TILE_ROWS, Tile};

    /// Rows of a weight that are fetched before their turn: part of a row lies too far from the next for a
    /// processor to see what will come.
    const AHEAD: usize = 16;

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn rows_times_panel_avx512(
        out: &Part<'_, f32>,
        a: *const f32,
        rows: &[usize; TILE_ROWS],
        runs: &[usize],
        len: usize,
        mut b: *const f32,
    ) {
        let mut sums = [[_mm512_setzero_ps(); 2]; TILE_ROWS];
        for run in runs {
            let rows: [*const f32; TILE_ROWS] =
                std::array::from_fn(|i| a.wrapping_add(rows[i] + run));
            for k in 0..len {
                // SAFETY: the caller's contract, as in `Real::rows_times_panel`.
                unsafe {
                    let b0 = _mm512_loadu_ps(b);
                    let b1 = _mm512_loadu_ps(b.add(16));
                    for (sums, row) in sums.iter_mut().zip(&rows) {
                        let x = _mm512_set1_ps(*row.add(k));
                        sums[0] = _mm512_fmadd_ps(x, b0, sums[0]);
                        sums[1] = _mm512_fmadd_ps(x, b1, sums[1]);
                    }
                }
                b = b.wrapping_add(TILE_COLUMNS);
            }
        }
        // SAFETY: the caller's contract.
        unsafe { finish_avx512(out, &sums) };
    }

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn row_times_panels_avx512(
        pieces: &[Piece<'_, f32>],
        a: *const f32,
        runs: &[usize],
        len: usize,
        stride: usize,
    ) {
        let last = pieces.len() - 1;
        // Pieces that are missing read and write nothing.
        let columns: [u32; ROW_PANELS] = std::array::from_fn(|p| match pieces.get(p) {
            Some(piece) => u32::MAX >> (TILE_COLUMNS - piece.width),
            None => 0,
        });
        let masks = columns.map(|columns| [columns as u16, (columns >> 16) as u16]);
        let mut b: [*const f32; ROW_PANELS] = std::array::from_fn(|p| pieces[p.min(last)].b);
        let mut sums = [[_mm512_setzero_ps(); 2]; ROW_PANELS];
        for run in runs {
            let a = a.wrapping_add(*run);
            for k in 0..len {
                // SAFETY: the caller's contract; the masks are of the values that there are.
                unsafe {
                    let x = _mm512_set1_ps(*a.add(k));
                    for ((sums, b), mask) in sums.iter_mut().zip(&mut b).zip(&masks) {
                        let ahead = b.wrapping_add(AHEAD * stride);
                        _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                        _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(16).cast());
                        let b0 = _mm512_maskz_loadu_ps(mask[0], *b);
                        let b1 = _mm512_maskz_loadu_ps(mask[1], b.wrapping_add(16));
                        sums[0] = _mm512_fmadd_ps(x, b0, sums[0]);
                        sums[1] = _mm512_fmadd_ps(x, b1, sums[1]);
                        *b = b.wrapping_add(stride);
                    }
                }
            }
        }
        for (piece, sums) in pieces.iter().zip(sums) {
            let mut all = [[_mm512_setzero_ps(); 2]; TILE_ROWS];
            all[0] = sums;
            // SAFETY: the caller's contract.
            unsafe { finish_avx512(&piece.part(), &all) };
        }
    }

    /// The same of at most two pieces.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn row_times_panels_avx2(
        pieces: &[Piece<'_, f32>],
        a: *const f32,
        runs: &[usize],
        len: usize,
        stride: usize,
    ) {
        let last = pieces.len() - 1;
        let mut masks = [[_mm256_setzero_si256(); 4]; 2];
        for (piece, masks) in pieces.iter().zip(&mut masks) {
            for (strip, mask) in masks.iter_mut().enumerate() {
                let lanes: [i32; 8] = std::array::from_fn(|lane| {
                    if strip * 8 + lane < piece.width {
                        -1
                    } else {
                        0
                    }
                });
                // SAFETY: there are eight lanes.
                *mask = unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) };
            }
        }
        let mut b: [*const f32; 2] = std::array::from_fn(|p| pieces[p.min(last)].b);
        let mut sums = [[_mm256_setzero_ps(); 4]; 2];
        for run in runs {
            let a = a.wrapping_add(*run);
            for k in 0..len {
                // SAFETY: the caller's contract; the masks are of the values that there are.
                unsafe {
                    let x = _mm256_set1_ps(*a.add(k));
                    for ((sums, b), masks) in sums.iter_mut().zip(&mut b).zip(&masks) {
                        let ahead = b.wrapping_add(AHEAD * stride);
                        _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                        _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(16).cast());
                        for (strip, (sum, mask)) in sums.iter_mut().zip(masks).enumerate() {
                            let b = _mm256_maskload_ps(b.wrapping_add(strip * 8), *mask);
                            *sum = _mm256_fmadd_ps(x, b, *sum);
                        }
                        *b = b.wrapping_add(stride);
                    }
                }
            }
        }
        for (piece, sums) in pieces.iter().zip(&sums) {
            let mut tile = [[0.0; TILE_COLUMNS]; TILE_ROWS];
            for (strip, sum) in tile[0].chunks_exact_mut(8).zip(sums) {
                // SAFETY: the strip has 8 values.
                unsafe { _mm256_storeu_ps(strip.as_mut_ptr(), *sum) };
            }
            // SAFETY: the caller's contract.
            unsafe { piece.part().finish(&tile) };
        }
    }

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn columns_times_panel_avx512(
        out: &Part<'_, f32>,
        a: *const f32,
        rows: &[usize],
        mut b: *const f32,
    ) {
        let mut sums = [[_mm512_setzero_ps(); 2]; TILE_ROWS];
        for &row in rows {
            // SAFETY: the caller's contract, as in `Real::columns_times_panel`.
            unsafe {
                let a = a.add(row);
                let b0 = _mm512_loadu_ps(b);
                let b1 = _mm512_loadu_ps(b.add(16));
                for (i, sums) in sums.iter_mut().enumerate() {
                    let x = _mm512_set1_ps(*a.add(i));
                    sums[0] = _mm512_fmadd_ps(x, b0, sums[0]);
                    sums[1] = _mm512_fmadd_ps(x, b1, sums[1]);
                }
            }
            b = b.wrapping_add(TILE_COLUMNS);
        }
        // SAFETY: the caller's contract.
        unsafe { finish_avx512(out, &sums) };
    }

    /// [`Part::finish`] with the sums still in registers.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn finish_avx512(out: &Part<'_, f32>, sums: &[[__m512; 2]; TILE_ROWS]) {
        let columns = u32::MAX >> (TILE_COLUMNS - out.width);
        let masks = [columns as u16, (columns >> 16) as u16];
        for (i, sums) in sums.iter().enumerate() {
            if i >= out.count {
                return;
            }
            for (half, (&sum, mask)) in sums.iter().zip(masks).enumerate() {
                let to = out.rows[i].wrapping_add(16 * half);
                // SAFETY: the masks are of the values that the row and the bias have.
                unsafe {
                    let start = match out.start {
                        Start::Zero => _mm512_setzero_ps(),
                        Start::Bias(bias) => {
                            _mm512_maskz_loadu_ps(mask, bias.as_ptr().wrapping_add(16 * half))
                        }
                        Start::Output => _mm512_maskz_loadu_ps(mask, to),
                    };
                    _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(start, sum));
                }
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn rows_times_panel_avx2(
        tile: &mut Tile<f32>,
        a: *const f32,
        rows: &[usize; TILE_ROWS],
        runs: &[usize],
        len: usize,
        b: *const f32,
    ) {
        for column in (0..TILE_COLUMNS).step_by(8) {
            let mut sums = [_mm256_setzero_ps(); TILE_ROWS];
            let mut b = b.wrapping_add(column);
            for run in runs {
                let rows: [*const f32; TILE_ROWS] =
                    std::array::from_fn(|i| a.wrapping_add(rows[i] + run));
                for k in 0..len {
                    // SAFETY: the caller's contract, as in `Real::rows_times_panel`.
                    unsafe {
                        let b = _mm256_loadu_ps(b);
                        for (sum, row) in sums.iter_mut().zip(&rows) {
                            *sum = _mm256_fmadd_ps(_mm256_set1_ps(*row.add(k)), b, *sum);
                        }
                    }
                    b = b.wrapping_add(TILE_COLUMNS);
                }
            }
            add_avx2(tile, column, &sums);
        }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn columns_times_panel_avx2(
        tile: &mut Tile<f32>,
        a: *const f32,
        rows: &[usize],
        b: *const f32,
    ) {
        for column in (0..TILE_COLUMNS).step_by(8) {
            let mut sums = [_mm256_setzero_ps(); TILE_ROWS];
            for (r, &row) in rows.iter().enumerate() {
                // SAFETY: the caller's contract, as in `Real::columns_times_panel`.
                unsafe {
                    let b = _mm256_loadu_ps(b.add(r * TILE_COLUMNS + column));
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = _mm256_fmadd_ps(_mm256_set1_ps(*a.add(row + i)), b, *sum);
                    }
                }
            }
            add_avx2(tile, column, &sums);
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn add_avx2(tile: &mut Tile<f32>, column: usize, sums: &[__m256; TILE_ROWS]) {
        for (row, sum) in tile.iter_mut().zip(sums) {
            let strip = &mut row[column..column + 8];
            // SAFETY: the strip has 8 values.
            unsafe {
                let old = _mm256_loadu_ps(strip.as_ptr());
                _mm256_storeu_ps(strip.as_mut_ptr(), _mm256_add_ps(old, *sum));
            }
        }
    }

    pub(super) unsafe fn rows_times_panel_baseline(
        tile: &mut Tile<f32>,
        a: *const f32,
        rows: &[usize; TILE_ROWS],
        runs: &[usize],
        len: usize,
        b: *const f32,
    ) {
        for (r, run) in runs.iter().enumerate() {
            for k in 0..len {
                let b = b.wrapping_add((r * len + k) * TILE_COLUMNS);
                // SAFETY: the caller's contract, as in `Real::rows_times_panel`.
                let b = unsafe { &*b.cast::<[f32; TILE_COLUMNS]>() };
                for (sums, row) in tile.iter_mut().zip(rows) {
                    // SAFETY: as above.
                    let x = unsafe { *a.add(row + run + k) };
                    for (sum, b) in sums.iter_mut().zip(b) {
                        *sum += x * b;
                    }
                }
            }
        }
    }

    pub(super) unsafe fn columns_times_panel_baseline(
        tile: &mut Tile<f32>,
        a: *const f32,
        rows: &[usize],
        b: *const f32,
    ) {
        for (r, row) in rows.iter().enumerate() {
            // SAFETY: the caller's contract, as in `Real::columns_times_panel`.
            let b = unsafe { &*b.add(r * TILE_COLUMNS).cast::<[f32; TILE_COLUMNS]>() };
            for (i, sums) in tile.iter_mut().enumerate() {
                // SAFETY: as above.
                let x = unsafe { *a.add(row + i) };
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum += x * b;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every instruction set this processor has computes what the portable loop does, to rounding.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn every_instruction_set_computes_the_same_tile() {
        let len = 37;
        let value = |i: usize| ((i * 7919 + 13) % 1000) as f32 / 500.0 - 1.0;
        let runs = [0, 40];
        let a: Vec<f32> = (0..TILE_ROWS * 100).map(value).collect();
        let b: Vec<f32> = (0..2 * len * TILE_COLUMNS).map(|i| value(i + 3)).collect();
        let rows: [usize; TILE_ROWS] = std::array::from_fn(|i| i * 50 + i);
        let columns: Vec<usize> = (0..len).map(|r| r * 9).collect();
        let start: Tile<f32> = [[0.5; TILE_COLUMNS]; TILE_ROWS];
        let near = |x: &Tile<f32>, y: &Tile<f32>| {
            let close = |(x, y): (&f32, &f32)| (x - y).abs() < 1e-4;
            assert!(x.iter().flatten().zip(y.iter().flatten()).all(close));
        };

        // SAFETY: the operands are long enough, and each set is asked for before it is used.
        unsafe {
            let (mut expected, mut expected_columns) = (start, start);
            x86::rows_times_panel_baseline(
                &mut expected,
                a.as_ptr(),
                &rows,
                &runs,
                len,
                b.as_ptr(),
            );
            x86::columns_times_panel_baseline(
                &mut expected_columns,
                a.as_ptr(),
                &columns,
                b.as_ptr(),
            );
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                let (mut tile, mut tile_columns) = (start, start);
                x86::rows_times_panel_avx2(&mut tile, a.as_ptr(), &rows, &runs, len, b.as_ptr());
                x86::columns_times_panel_avx2(&mut tile_columns, a.as_ptr(), &columns, b.as_ptr());
                near(&tile, &expected);
                near(&tile_columns, &expected_columns);
            }
            if is_x86_feature_detected!("avx512f") {
                let (mut tile, mut tile_columns) = (start, start);
                let part = whole(&mut tile);
                x86::rows_times_panel_avx512(&part, a.as_ptr(), &rows, &runs, len, b.as_ptr());
                let part = whole(&mut tile_columns);
                x86::columns_times_panel_avx512(&part, a.as_ptr(), &columns, b.as_ptr());
                near(&tile, &expected);
                near(&tile_columns, &expected_columns);
            }
        }
    }

    /// All of a tile, to be added to.
    fn whole(tile: &mut Tile<f32>) -> Part<'static, f32> {
        let start = tile.as_mut_ptr().cast::<f32>();
        Part {
            rows: std::array::from_fn(|i| start.wrapping_add(i * TILE_COLUMNS)),
            count: TILE_ROWS,
            width: TILE_COLUMNS,
            start: Start::Output,
        }
    }

    /// One row has the bits that it has among eight, whatever instructions compute it.
    #[test]
    fn a_single_row_has_the_bits_of_a_tile() {
        let value = |i: usize| ((i * 7919 + 13) % 1000) as f32 / 500.0 - 1.0;
        let (len, runs, columns) = (37, [0, 40], 101);
        let a: Vec<f32> = (0..100).map(value).collect();
        let b: Vec<f32> = (0..runs.len() * len * columns)
            .map(|i| value(i + 3))
            .collect();
        let bias: Vec<f32> = (0..columns).map(|i| value(i + 7)).collect();
        for width in [1, 8, 31, 32, 33, 64, 97, 101] {
            for start in [Start::Zero, Start::Bias(&bias), Start::Output] {
                let of = |first: usize, width| match start {
                    Start::Bias(bias) => Start::Bias(&bias[first..first + width]),
                    other => other,
                };
                let mut found = vec![0.5f32; columns];
                let mut expected = found.clone();
                let firsts: Vec<usize> = (0..width).step_by(TILE_COLUMNS).collect();
                let width_of = |first: usize| TILE_COLUMNS.min(width - first);
                let pieces: Vec<Piece<'_, f32>> = firsts
                    .iter()
                    .map(|&first| Piece {
                        b: b[first..].as_ptr(),
                        out: found[first..].as_mut_ptr(),
                        width: width_of(first),
                        start: of(first, width_of(first)),
                    })
                    .collect();
                // SAFETY: the operands have these columns and terms.
                unsafe { f32::row_times_panels(&pieces, a.as_ptr(), &runs, len, columns) };
                for &first in &firsts {
                    let mut panel = vec![0.0f32; runs.len() * len * TILE_COLUMNS];
                    for (row, b) in panel.chunks_exact_mut(TILE_COLUMNS).zip(b.chunks(columns)) {
                        row[..width_of(first)].copy_from_slice(&b[first..][..width_of(first)]);
                    }
                    let part = Part {
                        rows: [expected[first..].as_mut_ptr(); TILE_ROWS],
                        count: 1,
                        width: width_of(first),
                        start: of(first, width_of(first)),
                    };
                    // SAFETY: the panel has all terms, and the output these columns.
                    unsafe {
                        let rows = [0; TILE_ROWS];
                        f32::rows_times_panel_into(
                            &part,
                            a.as_ptr(),
                            &rows,
                            &runs,
                            len,
                            panel.as_ptr(),
                        );
                    }
                }
                assert_eq!(found, expected, "{width} columns");
            }
        }
    }

    /// A part of any size gets its sums, added to whatever it starts with, and nothing else changes.
    #[test]
    fn a_part_of_a_tile_is_all_that_is_written() {
        let value = |i: usize| ((i * 7919 + 13) % 1000) as f32 / 500.0 - 1.0;
        let len = 5;
        let a: Vec<f32> = (0..TILE_ROWS * len).map(value).collect();
        let b: Vec<f32> = (0..len * TILE_COLUMNS).map(|i| value(i + 3)).collect();
        let bias: Vec<f32> = (0..TILE_COLUMNS).map(|i| value(i + 7)).collect();
        let rows: [usize; TILE_ROWS] = std::array::from_fn(|i| i * len);
        for width in [1, 7, 16, 17, 31, 32] {
            for count in [1, 3, 8] {
                for start in [Start::Zero, Start::Bias(&bias[..width]), Start::Output] {
                    let mut tile = [[0.5f32; TILE_COLUMNS]; TILE_ROWS];
                    let part = Part {
                        count,
                        width,
                        start,
                        ..whole(&mut tile)
                    };
                    // SAFETY: the operands are long enough, and the tile has all rows.
                    unsafe {
                        f32::rows_times_panel_into(&part, a.as_ptr(), &rows, &[0], len, b.as_ptr());
                    }
                    for (i, row) in tile.iter().enumerate() {
                        for (j, &found) in row.iter().enumerate() {
                            let terms = (0..len).map(|k| a[rows[i] + k] * b[k * TILE_COLUMNS + j]);
                            let before = match start {
                                Start::Zero => 0.0,
                                Start::Bias(bias) if j < width => bias[j],
                                _ => 0.5,
                            };
                            let is_inside = i < count && j < width;
                            let expected = if is_inside {
                                before + terms.sum::<f32>()
                            } else {
                                0.5
                            };
                            assert!((found - expected).abs() < 1e-5);
                        }
                    }
                }
            }
        }
    }
}
