//! Tables of text in a terminal.

use console::measure_text_width;

/// The lines of a table, the first row being its header. The columns whose cells are numbers stand on the
/// right, and the others on the left.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let width = |column| cells(column).map(|cell| measure_text_width(cell)).max();
    let widths: Vec<usize> = (0..columns).map(|it| width(it).unwrap_or(0)).collect();
    let is_number = |cell: &String| cell.is_empty() || cell.parse::<f64>().is_ok();
    let numbers: Vec<bool> = (0..columns)
        .map(|column| cells(column).skip(1).all(is_number))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let blank = " ".repeat(widths[column] - measure_text_width(cell));
            match numbers[column] {
                true => format!("{blank}{cell}"),
                false => format!("{cell}{blank}"),
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        line.trim_end().to_string()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_on_the_right_and_words_on_the_left() {
        let rows = [["word", "n"], ["개", "7"], ["a", "12"]];
        let rows = rows.map(|row| row.map(String::from).to_vec());
        assert_eq!(table(&rows), ["word   n", "개     7", "a     12"]);
        assert!(table(&[]).is_empty());
    }
}
