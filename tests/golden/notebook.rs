//! The lecture notebook's printed figures, computed by `examples/lecture_notebook`. `notebook.py`
//! beside this file wrote them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../../examples/lecture_notebook/walk/mod.rs"]
mod walk;

#[test]
fn the_notebooks_figures_come_out() {
    let chapters = walk::in_double_precision(include_str!("notebook.json")).unwrap();
    let figures: Vec<_> = chapters
        .into_iter()
        .flat_map(|(_, figures)| figures)
        .collect();
    assert_eq!(figures.len(), 35);
    let apart: Vec<_> = figures
        .iter()
        .map(|figure| (&figure.name, figure.error(), figure.tolerance))
        .filter(|(_, error, tolerance)| error.is_nan() || error >= tolerance)
        .collect();
    assert!(apart.is_empty(), "{apart:?}");
}
