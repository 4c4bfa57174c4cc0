//! The lecture notebook's printed figures, by the walk of `examples/lecture_notebook`. `notebook.py`
//! beside this file wrote them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../../examples/lecture_notebook/walk.rs"]
mod walk;

use burn::tensor::backend::AutodiffBackend;
use burn_autodiff::Autodiff;
use burn_ndarray::NdArray;

fn figures_within<B: AutodiffBackend>(tolerance: f64) {
    let chapters = walk::walk::<B>(include_str!("notebook.json"), &Default::default()).unwrap();
    let figures: Vec<_> = chapters
        .into_iter()
        .flat_map(|(_, figures)| figures)
        .collect();
    assert_eq!(figures.len(), 18);
    let apart: Vec<_> = figures
        .iter()
        .map(|figure| (&figure.name, figure.error()))
        .filter(|(_, error)| error.is_nan() || *error >= tolerance)
        .collect();
    assert!(apart.is_empty(), "{apart:?}");
}

/// The notebook printed eight decimals, and its input is known by what they say alone.
#[test]
fn the_notebooks_figures_come_out_in_double_precision() {
    figures_within::<Autodiff<NdArray<f64>>>(1.5e-8);
}

#[test]
fn the_kernels_give_them_in_single_precision() {
    figures_within::<Autodiff<NdArray<f32>>>(5e-7);
}
