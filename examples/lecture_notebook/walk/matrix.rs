//! Tables of numbers, as NumPy has them.

/// Rows of numbers.
pub(super) type Matrix = Vec<Vec<f64>>;

/// `a · b`.
pub(super) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let columns = transposed(b);
    let dot = |row: &Vec<f64>, column: &Vec<f64>| row.iter().zip(column).map(|(x, y)| x * y).sum();
    let of_row = |row| columns.iter().map(|column| dot(row, column)).collect();
    a.iter().map(of_row).collect()
}

/// `aᵀ`.
pub(super) fn transposed(a: &Matrix) -> Matrix {
    let columns = a.first().map_or(0, Vec::len);
    (0..columns)
        .map(|j| a.iter().map(|row| row[j]).collect())
        .collect()
}

/// `f` of each value.
pub(super) fn each(a: &Matrix, f: impl Fn(f64) -> f64) -> Matrix {
    let of_row = |row: &Vec<f64>| row.iter().map(|&value| f(value)).collect();
    a.iter().map(of_row).collect()
}

/// `f` of each pair of values.
pub(super) fn pairs(a: &Matrix, b: &Matrix, f: impl Fn(f64, f64) -> f64) -> Matrix {
    let of_rows =
        |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(&x, &y)| f(x, y)).collect();
    a.iter().zip(b).map(of_rows).collect()
}

/// The sum of each row.
pub(super) fn sums(a: &Matrix) -> Vec<f64> {
    a.iter().map(|row| row.iter().sum()).collect()
}
