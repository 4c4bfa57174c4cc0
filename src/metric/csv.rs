//! Cells of comma-separated values.

/// Quotes a label for a cell of comma-separated values, where it needs quotes.
pub(crate) fn csv_cell(label: &str) -> String {
    if label.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", label.replace('"', "\"\""))
    } else {
        label.to_string()
    }
}
