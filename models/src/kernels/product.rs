//! Matrix products: operands cut into panels, panels into tiles, tiles spread over the threads.
//!
//! A sum is always taken in the same order, however many threads there are, so that results do not
//! depend on their number.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::Real;
use super::buffer::Scratch;
use super::tasks::Tasks;
pub(crate) use super::tile::Start;
use super::tile::{Part, Piece, ROW_PANELS, TILE_COLUMNS, TILE_ROWS, Tile};

/// Terms of a sum that a panel holds at once: 256 rows of 32 columns stay in the first cache.
const PANEL_TERMS: usize = 256;
/// Rows that one task works on.
const TASK_ROWS: usize = 512;

/// A mutable slice whose disjoint parts several threads write.
pub(crate) struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: the slice may be sent, and `part` is the only access, whose caller vouches that no two
// threads hold overlapping parts.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            lifetime: PhantomData,
        }
    }

    /// The part of `len` values from `from`.
    ///
    /// # Safety
    /// No other part that is in use may overlap it.
    #[allow(
        clippy::mut_from_ref,
        reason = "the caller vouches that parts are disjoint"
    )]
    pub(crate) unsafe fn part(&self, from: usize, len: usize) -> &mut [T] {
        assert!(from + len <= self.len, "a part beyond the end of its slice");
        // SAFETY: inside the slice by the assertion, and exclusive by the caller's word.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), len) }
    }
}

/// The left operand of a product: row `i` is made of the runs of `run_len` values that start at
/// `rows[i] + runs[r]`, one after the other. A convolution's rows overlap.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) rows: &'a [usize],
    pub(crate) runs: &'a [usize],
    pub(crate) run_len: usize,
}

impl<T> Rows<'_, T> {
    fn terms(&self) -> usize {
        self.runs.len() * self.run_len
    }

    /// The first value past any that a row reads.
    fn end(&self) -> usize {
        let row = self.rows.iter().max().copied().unwrap_or(0);
        let run = self.runs.iter().max().copied().unwrap_or(0);
        row + run + self.run_len
    }
}

/// A right operand in panels of 32 columns, the last filled up with zeros.
pub(crate) struct Packed<T: Real> {
    panels: Scratch<T>,
    terms: usize,
    columns: usize,
}

impl<T: Real> Packed<T> {
    /// Packs `[terms, columns]`, whose rows are `stride` values apart.
    pub(crate) fn new(matrix: &[T], terms: usize, columns: usize, stride: usize) -> Self {
        Self::with(terms, columns, |panel, first, width| {
            pack(matrix, stride, 0..terms, first, width, panel);
        })
    }

    /// Packs the transpose of `[columns, terms]`, whose rows are `stride` values apart.
    pub(crate) fn transposed(matrix: &[T], terms: usize, columns: usize, stride: usize) -> Self {
        Self::with(terms, columns, |panel, first, width| {
            pack_transposed(matrix, stride, 0..terms, first, width, panel);
        })
    }

    fn with(terms: usize, columns: usize, fill: impl Fn(&mut [T], usize, usize) + Sync) -> Self {
        let mut panels = Scratch::new(columns.div_ceil(TILE_COLUMNS) * terms * TILE_COLUMNS);
        if terms > 0 {
            panels
                .par_chunks_mut(terms * TILE_COLUMNS)
                .enumerate()
                .run(|(index, panel)| {
                    let first = index * TILE_COLUMNS;
                    fill(panel, first, TILE_COLUMNS.min(columns - first));
                });
        }
        Self {
            panels,
            terms,
            columns,
        }
    }

    /// Where the panel of the columns from `first` on begins.
    fn panel(&self, first: usize) -> *const T {
        let panel_len = self.terms * TILE_COLUMNS;
        self.panels[first / TILE_COLUMNS * panel_len..][..panel_len].as_ptr()
    }
}

/// Copies the columns `first..first + width` of the rows `terms` into a panel.
fn pack<T: Real>(
    matrix: &[T],
    stride: usize,
    terms: impl Iterator<Item = usize>,
    first: usize,
    width: usize,
    panel: &mut [T],
) {
    for (row, term) in panel.chunks_exact_mut(TILE_COLUMNS).zip(terms) {
        let from = term * stride + first;
        if width == TILE_COLUMNS {
            row.copy_from_slice(&matrix[from..from + TILE_COLUMNS]);
        } else {
            row[..width].copy_from_slice(&matrix[from..from + width]);
            row[width..].fill(T::ZERO);
        }
    }
}

/// Copies the columns `terms` of the rows `first..first + width` into a panel, turned.
fn pack_transposed<T: Real>(
    matrix: &[T],
    stride: usize,
    terms: std::ops::Range<usize>,
    first: usize,
    width: usize,
    panel: &mut [T],
) {
    if width < TILE_COLUMNS {
        panel.fill(T::ZERO);
    }
    // Sixteen terms at a time, so that the lines being written stay in the first cache.
    let (start, count) = (terms.start, terms.len());
    for (block, rows) in panel.chunks_mut(16 * TILE_COLUMNS).enumerate() {
        let terms = 16.min(count - block * 16);
        for column in 0..width {
            let from = (first + column) * stride + start + block * 16;
            for (term, &value) in matrix[from..from + terms].iter().enumerate() {
                rows[term * TILE_COLUMNS + column] = value;
            }
        }
    }
}

/// One tile of rows times a panel that has the terms `runs · run_len`, into `out`, whose rows are
/// `stride` apart and begin at `column`.
fn tile_row<T: Real>(
    a: Rows<'_, T>,
    panel: &[T],
    start: Start<'_, T>,
    columns: std::ops::Range<usize>,
    mut out: impl FnMut(usize) -> *mut T,
) {
    debug_assert!(a.rows.len() <= TILE_ROWS && a.terms() * TILE_COLUMNS <= panel.len());
    debug_assert!(a.end() <= a.data.len());
    let count = a.rows.len();
    let width = columns.len();
    // Rows that are missing repeat the last one and are thrown away.
    let rows: [usize; TILE_ROWS] = std::array::from_fn(|i| a.rows[i.min(count - 1)]);
    let part = Part {
        rows: std::array::from_fn(|i| out(i.min(count - 1))),
        count,
        width,
        start: match start {
            Start::Bias(bias) => Start::Bias(&bias[columns]),
            other => other,
        },
    };
    // SAFETY: the callers assert that no row reads past the data, and that the panel has a row of
    // 32 values for each term; `out` gives `width` values of each row, which only this tile touches.
    unsafe {
        T::rows_times_panel_into(
            &part,
            a.data.as_ptr(),
            &rows,
            a.runs,
            a.run_len,
            panel.as_ptr(),
        );
    }
}

/// Columns that a single row is multiplied with at once.
const ROW_COLUMNS: usize = ROW_PANELS * TILE_COLUMNS;

/// A single row times at most [`ROW_COLUMNS`] columns of a right operand, whose terms are `stride` values apart. Of each
/// 32 columns `b` says where they begin, and `out` where they go.
fn row_times<T: Real>(
    a: Rows<'_, T>,
    columns: std::ops::Range<usize>,
    b: impl Fn(usize) -> *const T,
    stride: usize,
    start: Start<'_, T>,
    mut out: impl FnMut(usize) -> *mut T,
) {
    debug_assert!(a.rows.len() == 1 && a.end() <= a.data.len());
    debug_assert!((1..=ROW_COLUMNS).contains(&columns.len()));
    let count = columns.len().div_ceil(TILE_COLUMNS);
    let pieces: [Piece<'_, T>; ROW_PANELS] = std::array::from_fn(|index| {
        let first = columns.start + index.min(count - 1) * TILE_COLUMNS;
        let width = TILE_COLUMNS.min(columns.end - first);
        Piece {
            b: b(first),
            out: out(first),
            width,
            start: match start {
                Start::Bias(bias) => Start::Bias(&bias[first..first + width]),
                other => other,
            },
        }
    });
    let row = a.data.as_ptr().wrapping_add(a.rows[0]);
    // SAFETY: the callers assert that the row reads nothing past the data, and that the right operand has these
    // columns for each term; `out` gives as many values, which only this call touches.
    unsafe { T::row_times_panels(&pieces[..count], row, a.runs, a.run_len, stride) };
}

/// [`row_times`] over all columns of a packed operand.
fn row_times_packed<T: Real>(
    a: Rows<'_, T>,
    b: &Packed<T>,
    start: Start<'_, T>,
    mut out: impl FnMut(usize) -> *mut T,
) {
    for first in (0..b.columns).step_by(ROW_COLUMNS) {
        let columns = first..b.columns.min(first + ROW_COLUMNS);
        row_times(
            a,
            columns,
            |first| b.panel(first),
            TILE_COLUMNS,
            start,
            &mut out,
        );
    }
}

/// [`rows_times_packed`] into rows that lie anywhere: `out` says where a column of a row lies, which all
/// columns of `b` from there on follow.
pub(crate) fn rows_times_packed_into<T: Real>(
    a: Rows<'_, T>,
    b: &Packed<T>,
    start: Start<'_, T>,
    mut out: impl FnMut(usize, usize) -> *mut T,
) {
    assert_eq!(a.terms(), b.terms, "the terms of both operands");
    assert!(a.end() <= a.data.len(), "a row beyond the data");
    if a.rows.len() == 1 {
        return row_times_packed(a, b, start, |first| out(0, first));
    }
    let panel_len = b.terms * TILE_COLUMNS;
    for first in (0..b.columns).step_by(TILE_COLUMNS) {
        let columns = first..b.columns.min(first + TILE_COLUMNS);
        let panel = &b.panels[first / TILE_COLUMNS * panel_len..][..panel_len];
        for (index, rows) in a.rows.chunks(TILE_ROWS).enumerate() {
            tile_row(Rows { rows, ..a }, panel, start, columns.clone(), |i| {
                out(index * TILE_ROWS + i, first)
            });
        }
    }
}

/// `out[i][j] = start + Σ_k a[i][k] · b[k][j]` on the calling thread; the rows of `out` are
/// `stride` values apart.
pub(crate) fn rows_times_packed<T: Real>(
    a: Rows<'_, T>,
    b: &Packed<T>,
    start: Start<'_, T>,
    out: &mut [T],
    stride: usize,
) {
    assert_eq!(a.terms(), b.terms, "the terms of both operands");
    if a.rows.is_empty() {
        return;
    }
    assert!(a.end() <= a.data.len(), "a row beyond the data");
    assert!(out.len() >= (a.rows.len() - 1) * stride + b.columns);
    let out = out.as_mut_ptr();
    if a.rows.len() == 1 {
        return row_times_packed(a, b, start, |first| out.wrapping_add(first));
    }
    let panel_len = b.terms * TILE_COLUMNS;
    for first in (0..b.columns).step_by(TILE_COLUMNS) {
        let columns = first..b.columns.min(first + TILE_COLUMNS);
        let panel = &b.panels[first / TILE_COLUMNS * panel_len..][..panel_len];
        for (index, rows) in a.rows.chunks(TILE_ROWS).enumerate() {
            tile_row(Rows { rows, ..a }, panel, start, columns.clone(), |i| {
                out.wrapping_add((index * TILE_ROWS + i) * stride + first)
            });
        }
    }
}

/// [`rows_times_packed`] on all threads, into the rows of `out` that begin at `out_rows`.
pub(crate) fn spread_rows_times_packed<T: Real>(
    a: Rows<'_, T>,
    b: &Packed<T>,
    start: Start<'_, T>,
    out: &mut [T],
    out_rows: &[usize],
) {
    assert_eq!(a.terms(), b.terms, "the terms of both operands");
    assert_eq!(a.rows.len(), out_rows.len(), "a row for each row");
    let apart = |pair: &[usize]| pair[0] + b.columns <= pair[1];
    assert!(out_rows.windows(2).all(apart), "rows that overlap");
    if a.rows.is_empty() {
        return;
    }
    assert!(a.end() <= a.data.len(), "a row beyond the data");
    let panel_len = b.terms * TILE_COLUMNS;
    let panels = b.columns.div_ceil(TILE_COLUMNS);
    let shared = Shared::new(out);
    (0..panels).into_par_iter().run(|index| {
        let first = index * TILE_COLUMNS;
        let columns = first..b.columns.min(first + TILE_COLUMNS);
        let panel = &b.panels[index * panel_len..][..panel_len];
        for (rows, out_rows) in a.rows.chunks(TILE_ROWS).zip(out_rows.chunks(TILE_ROWS)) {
            let width = columns.len();
            tile_row(Rows { rows, ..a }, panel, start, columns.clone(), |i| {
                // SAFETY: this task alone writes these columns, and no two rows overlap.
                unsafe { shared.part(out_rows[i] + first, width) }.as_mut_ptr()
            });
        }
    });
}

/// Layout of the right operand of [`product`] in memory.
#[derive(Clone, Copy)]
pub(crate) enum Right<'a, T> {
    /// `[terms, columns]`
    Plain(&'a [T]),
    /// `[columns, terms]`
    Transposed(&'a [T]),
}

/// `out[i][j] = start + Σ_k a[i][k] · b[k][j]` on all threads, with `a` `[rows, terms]` and `out`
/// `[rows, columns]`.
pub(crate) fn product<T: Real>(
    a: &[T],
    b: Right<'_, T>,
    [rows, terms, columns]: [usize; 3],
    start: Start<'_, T>,
    out: &mut [T],
) {
    let all: Vec<usize> = (0..rows).collect();
    product_of_rows(a, &all, b, [terms, columns], start, out);
}

/// [`product`] for the rows `rows` of `a` and of `out` alone, which rise. The others stay as they are.
pub(crate) fn product_of_rows<T: Real>(
    a: &[T],
    rows: &[usize],
    b: Right<'_, T>,
    [terms, columns]: [usize; 2],
    start: Start<'_, T>,
    out: &mut [T],
) {
    assert!(rows.is_sorted_by(|a, b| a < b), "rows that rise");
    let end = rows.last().map_or(0, |last| last + 1);
    assert!(a.len() >= end * terms && out.len() >= end * columns);
    if end * columns == 0 {
        return;
    }
    if terms == 0 {
        for row in rows {
            let row = &mut out[row * columns..][..columns];
            match start {
                Start::Zero => row.fill(T::ZERO),
                Start::Bias(bias) => row.copy_from_slice(bias),
                Start::Output => {}
            }
        }
        return;
    }
    if let (&[row], Right::Plain(b)) = (rows, b) {
        let out = &mut out[row * columns..];
        return row_product(&a[row * terms..], b, [terms, columns], start, out);
    }
    let origins: Vec<usize> = rows.iter().map(|row| row * terms).collect();
    let panels = columns.div_ceil(TILE_COLUMNS);
    let blocks = rows.len().div_ceil(TASK_ROWS);
    let shared = Shared::new(out);
    (0..panels * blocks).into_par_iter().run(|task| {
        let first = task % panels * TILE_COLUMNS;
        let columns_here = first..columns.min(first + TILE_COLUMNS);
        let width = columns_here.len();
        let from = task / panels * TASK_ROWS;
        let to = rows.len().min(from + TASK_ROWS);
        let (rows, origins) = (&rows[from..to], &origins[from..to]);
        let mut panel = Scratch::new(PANEL_TERMS.min(terms) * TILE_COLUMNS);
        let mut start = start;
        for begin in (0..terms).step_by(PANEL_TERMS) {
            let range = begin..terms.min(begin + PANEL_TERMS);
            let panel = &mut panel[..range.len() * TILE_COLUMNS];
            match b {
                Right::Plain(b) => pack(b, columns, range.clone(), first, width, panel),
                Right::Transposed(b) => {
                    pack_transposed(b, terms, range.clone(), first, width, panel);
                }
            }
            for (rows, origins) in rows.chunks(TILE_ROWS).zip(origins.chunks(TILE_ROWS)) {
                let a = Rows {
                    data: a,
                    rows: origins,
                    runs: &[begin],
                    run_len: range.len(),
                };
                tile_row(a, panel, start, columns_here.clone(), |i| {
                    // SAFETY: this task alone writes these columns of these rows.
                    unsafe { shared.part(rows[i] * columns + first, width) }.as_mut_ptr()
                });
            }
            start = Start::Output;
        }
    });
}

/// [`product`] of a single row, with the same bits: the right operand is read once, where it lies.
fn row_product<T: Real>(
    a: &[T],
    b: &[T],
    [terms, columns]: [usize; 2],
    start: Start<'_, T>,
    out: &mut [T],
) {
    assert!(b.len() >= terms * columns, "a right operand of all terms");
    let shared = Shared::new(out);
    (0..columns.div_ceil(ROW_COLUMNS))
        .into_par_iter()
        .run(|task| {
            let columns_here = task * ROW_COLUMNS..columns.min((task + 1) * ROW_COLUMNS);
            let mut start = start;
            for begin in (0..terms).step_by(PANEL_TERMS) {
                let a = Rows {
                    data: a,
                    rows: &[0],
                    runs: &[begin],
                    run_len: PANEL_TERMS.min(terms - begin),
                };
                let here = columns_here.clone();
                row_times(
                    a,
                    here,
                    |first| b[begin * columns + first..].as_ptr(),
                    columns,
                    start,
                    |first| {
                        let width = TILE_COLUMNS.min(columns - first);
                        // SAFETY: this task alone writes these columns.
                        unsafe { shared.part(first, width) }.as_mut_ptr()
                    },
                );
                start = Start::Output;
            }
        });
}

/// Rows of the right operand that [`add_columns_times_rows`] keeps in the first cache.
const CHUNK_ROWS: usize = 128;

/// `out[k][j] += Σ_i a[i][k] · b[row(i)][j]` on the calling thread, for the columns `columns` of `b`,
/// whose rows are `stride` values apart. `out` says where a row's columns lie; `sums`, to which those of the
/// columns of `b` are added, begins at the first of the columns.
pub(crate) fn add_columns_times_rows<T: Real>(
    a: Rows<'_, T>,
    b: &[T],
    row: impl Fn(usize) -> usize,
    stride: usize,
    columns: std::ops::Range<usize>,
    mut out: impl FnMut(usize) -> *mut T,
    mut sums: Option<&mut [T]>,
) {
    let width = columns.len();
    debug_assert!(width <= TILE_COLUMNS);
    if a.rows.is_empty() {
        return;
    }
    assert!(a.end() <= a.data.len(), "a row beyond the data");
    let mut panel = [T::ZERO; CHUNK_ROWS * TILE_COLUMNS];
    for (chunk, rows) in a.rows.chunks(CHUNK_ROWS).enumerate() {
        let terms = (chunk * CHUNK_ROWS..chunk * CHUNK_ROWS + rows.len()).map(&row);
        let panel = &mut panel[..rows.len() * TILE_COLUMNS];
        pack(b, stride, terms, columns.start, width, panel);
        if let Some(sums) = &mut sums {
            for row in panel.chunks_exact(TILE_COLUMNS) {
                for (sum, x) in sums.iter_mut().zip(row) {
                    *sum += *x;
                }
            }
        }
        let last_row = rows.iter().max().copied().unwrap_or(0);
        for (index, run) in a.runs.iter().enumerate() {
            for k in (0..a.run_len).step_by(TILE_ROWS) {
                let count = TILE_ROWS.min(a.run_len - k);
                let at = |i: usize| index * a.run_len + k + i.min(count - 1);
                let part = Part {
                    rows: std::array::from_fn(|i| out(at(i))),
                    count,
                    width,
                    start: Start::Output,
                };
                let from = run + k;
                if last_row + from + TILE_ROWS <= a.data.len() {
                    // SAFETY: eight values from each row, by the condition; the panel has a row of
                    // 32 values for each; `out` gives `width` values of each row, which only this
                    // call touches.
                    unsafe {
                        let data = a.data.as_ptr().add(from);
                        T::columns_times_panel_into(&part, data, rows, panel.as_ptr());
                    }
                    continue;
                }
                let mut tile: Tile<T> = [[T::ZERO; TILE_COLUMNS]; TILE_ROWS];
                for (row, values) in rows.iter().zip(panel.chunks_exact(TILE_COLUMNS)) {
                    for (sums, &x) in tile.iter_mut().zip(&a.data[row + from..][..count]) {
                        for (sum, y) in sums.iter_mut().zip(values) {
                            *sum += x * *y;
                        }
                    }
                }
                // SAFETY: as above.
                unsafe { part.finish(&tile) };
            }
        }
    }
}

/// `out[k][j] = Σ_i a[i][k] · b[i][j]` on all threads, with `a` `[rows, terms]`, `b` `[rows,
/// columns]` and `out` `[terms, columns]`; and the sums of the columns of `b`.
pub(crate) fn transposed_product<T: Real>(
    a: &[T],
    b: &[T],
    [rows, terms, columns]: [usize; 3],
    out: &mut [T],
    sums: Option<&mut [T]>,
) {
    assert!(a.len() >= rows * terms);
    let origins: Vec<usize> = (0..rows).map(|i| i * terms).collect();
    transposed_product_of_rows(a, &origins, [terms, columns], b, out, sums);
}

/// [`transposed_product`] with rows of `a` that begin at `origins`.
pub(crate) fn transposed_product_of_rows<T: Real>(
    a: &[T],
    origins: &[usize],
    sizes: [usize; 2],
    b: &[T],
    out: &mut [T],
    sums: Option<&mut [T]>,
) {
    let all: Vec<usize> = (0..origins.len()).collect();
    transposed_product_of_some(a, origins, sizes, b, &all, out, sums);
}

/// Terms of a task of [`transposed_product`], which takes some columns of some terms. Each task reads its
/// columns of the right operand anew, so the fewer the better, while there are enough for many threads.
fn terms_of_a_task(terms: usize, panels: usize) -> usize {
    const ENOUGH_TASKS: usize = 32;
    let mut task_terms = 1024;
    while task_terms > 128 && panels * terms.div_ceil(task_terms) < ENOUGH_TASKS {
        task_terms /= 2;
    }
    task_terms
}

/// [`transposed_product`] of rows of `a` that begin at `origins` with the rows `rows` of `b`.
pub(crate) fn transposed_product_of_some<T: Real>(
    a: &[T],
    origins: &[usize],
    [terms, columns]: [usize; 2],
    b: &[T],
    rows: &[usize],
    out: &mut [T],
    sums: Option<&mut [T]>,
) {
    assert_eq!(origins.len(), rows.len(), "a row for each row");
    let end = rows.iter().max().map_or(0, |last| last + 1);
    assert!(b.len() >= end * columns && out.len() >= terms * columns);
    let panels = columns.div_ceil(TILE_COLUMNS);
    let task_terms = terms_of_a_task(terms, panels);
    let blocks = terms.div_ceil(task_terms).max(1);
    let shared = Shared::new(out);
    let mut no_sums = [];
    let want_sums = sums.is_some();
    let shared_sums = Shared::new(sums.unwrap_or(&mut no_sums));
    (0..panels * blocks).into_par_iter().run(|task| {
        let first = task % panels * TILE_COLUMNS;
        let here = first..columns.min(first + TILE_COLUMNS);
        let width = here.len();
        let begin = task / panels * task_terms;
        let count = task_terms.min(terms - begin);
        for k in begin..begin + count {
            // SAFETY: this task alone writes these columns of these rows.
            unsafe { shared.part(k * columns + first, width) }.fill(T::ZERO);
        }
        let sums = (want_sums && begin == 0).then(|| {
            // SAFETY: of the tasks with these columns only the first gets here.
            let sums = unsafe { shared_sums.part(first, width) };
            sums.fill(T::ZERO);
            sums
        });
        let a = Rows {
            data: a,
            rows: origins,
            runs: &[begin],
            run_len: count,
        };
        add_columns_times_rows(
            a,
            b,
            |i| rows[i],
            columns,
            here,
            // SAFETY: as above.
            |k| unsafe { shared.part((begin + k) * columns + first, width) }.as_mut_ptr(),
            sums,
        );
    });
}

/// Adds `parts`, each as long as `out`, in their order.
pub(crate) fn add_parts<T: Real>(parts: &[T], out: &mut [T]) {
    let len = out.len();
    if len == 0 {
        return;
    }
    const BLOCK: usize = 1024;
    out.par_chunks_mut(BLOCK).enumerate().run(|(block, out)| {
        out.fill(T::ZERO);
        for part in parts.chunks_exact(len) {
            for (out, x) in out.iter_mut().zip(&part[block * BLOCK..]) {
                *out += *x;
            }
        }
    });
}
