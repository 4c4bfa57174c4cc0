//! The Fréchet distance between the normal distributions that fit two sets of vectors ([Heusel et al.
//! 2017](https://arxiv.org/abs/1706.08500); for audio [Kilgour et al.
//! 2019](https://arxiv.org/abs/1812.08466)): `|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½)`.

/// A square matrix, row by row.
type Matrix = Vec<Vec<f64>>;

/// The squared Fréchet distance between two sets of vectors of one length, as the papers report it.
/// It is 0 if mean and covariance agree, and NaN if a set is empty.
pub fn frechet_distance(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    let (Some((mean_a, cov_a)), Some((mean_b, cov_b))) = (fitted(a), fitted(b)) else {
        return f64::NAN;
    };
    let means = mean_a.iter().zip(&mean_b);
    let apart: f64 = means.map(|(a, b)| (a - b).powi(2)).sum();
    // The eigenvalues of Σ₁Σ₂ are those of the symmetric Σ₁^½ Σ₂ Σ₁^½.
    let root = square_root(&cov_a);
    let product = multiplied(&multiplied(&root, &cov_b), &root);
    let (values, _) = eigen(product);
    let shared: f64 = values.iter().map(|value| value.max(0.0).sqrt()).sum();
    (apart + trace(&cov_a) + trace(&cov_b) - 2.0 * shared).max(0.0)
}

/// Mean and covariance (divided by one less than the count, as NumPy's `cov`).
fn fitted(vectors: &[Vec<f64>]) -> Option<(Vec<f64>, Matrix)> {
    let size = vectors.first()?.len();
    let count = vectors.len() as f64;
    let mut mean = vec![0.0; size];
    for vector in vectors {
        for (sum, value) in mean.iter_mut().zip(vector) {
            *sum += value / count;
        }
    }
    let mut covariance = vec![vec![0.0; size]; size];
    let divisor = (count - 1.0).max(1.0);
    for vector in vectors {
        let from_mean: Vec<f64> = vector.iter().zip(&mean).map(|(v, m)| v - m).collect();
        for (row, a) in covariance.iter_mut().zip(&from_mean) {
            for (cell, b) in row.iter_mut().zip(&from_mean) {
                *cell += a * b / divisor;
            }
        }
    }
    Some((mean, covariance))
}

fn trace(matrix: &Matrix) -> f64 {
    (0..matrix.len()).map(|i| matrix[i][i]).sum()
}

fn multiplied(a: &Matrix, b: &Matrix) -> Matrix {
    let size = a.len();
    let cell = |row: &Vec<f64>, column: usize| (0..size).map(|k| row[k] * b[k][column]).sum();
    a.iter()
        .map(|row| (0..size).map(|column| cell(row, column)).collect())
        .collect()
}

/// The symmetric square root of a symmetric matrix without negative eigenvalues.
fn square_root(matrix: &Matrix) -> Matrix {
    let size = matrix.len();
    let (values, vectors) = eigen(matrix.clone());
    let roots: Vec<f64> = values.iter().map(|value| value.max(0.0).sqrt()).collect();
    let cell = |i: usize, j: usize| {
        (0..size)
            .map(|k| vectors[i][k] * roots[k] * vectors[j][k])
            .sum()
    };
    (0..size)
        .map(|i| (0..size).map(|j| cell(i, j)).collect())
        .collect()
}

/// More sweeps than Jacobi's method ever needs: it converges quadratically.
const MAX_SWEEPS: usize = 50;

/// Eigenvalues of a symmetric matrix and its eigenvectors as columns, by Jacobi's rotations ([Golub and
/// Van Loan](https://doi.org/10.56021/9781421407944), section 8.5).
fn eigen(mut a: Matrix) -> (Vec<f64>, Matrix) {
    let size = a.len();
    let mut vectors: Matrix = (0..size)
        .map(|i| (0..size).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    let all: f64 = a.iter().flatten().map(|value| value * value).sum();
    for _ in 0..MAX_SWEEPS {
        let off: f64 = (0..size)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| a[i][j] * a[i][j])
            .sum();
        if off <= all * 1e-30 {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                rotate(&mut a, &mut vectors, p, q);
            }
        }
    }
    ((0..size).map(|i| a[i][i]).collect(), vectors)
}

/// Rotates the plane of the axes `p` and `q` so that their off-diagonal value vanishes.
fn rotate(a: &mut Matrix, vectors: &mut Matrix, p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = tangent.hypot(1.0).recip();
    let sine = tangent * cosine;
    let turned = |x: f64, y: f64| (cosine * x - sine * y, sine * x + cosine * y);
    for row in a.iter_mut().chain(vectors.iter_mut()) {
        (row[p], row[q]) = turned(row[p], row[q]);
    }
    let (above, below) = a.split_at_mut(q);
    for (x, y) in above[p].iter_mut().zip(&mut below[0]) {
        (*x, *y) = turned(*x, *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reproducible, correlated vectors.
    fn vectors(count: usize, size: usize, seed: u64) -> Vec<Vec<f64>> {
        let value = |row: usize, column: usize| {
            let x = (row * 31 + column * 17 + seed as usize * 7) as f64;
            (x * 0.7).sin() + 0.5 * (x * x * 0.01 + seed as f64).cos() * column as f64
        };
        (0..count)
            .map(|row| (0..size).map(|column| value(row, column)).collect())
            .collect()
    }

    /// numpy 2.4.6 and scipy 1.17.1 on the same vectors: `np.cov(x.T)`, `scipy.linalg.sqrtm`.
    #[test]
    fn distances_are_scipys() {
        for ((count, size), expected) in [((50, 5), FIVE), ((40, 8), EIGHT)] {
            let found = frechet_distance(&vectors(count, size, 1), &vectors(count, size, 2));
            let error = (found - expected).abs();
            assert!(error < 1e-7 * expected, "{found}, not {expected}");
        }
    }
    const FIVE: f64 = 0.338_839_996_066_764_96;
    const EIGHT: f64 = 1.569_382_562_893_031_6;

    #[test]
    fn a_set_is_no_way_from_itself_and_a_shift_is_its_square() {
        let (a, few) = (vectors(60, 6, 1), vectors(3, 6, 1));
        assert!(frechet_distance(&a, &a) < 1e-9);
        assert!(frechet_distance(&few, &few) < 1e-9);
        let mut shifted = a.clone();
        shifted.iter_mut().for_each(|vector| vector[2] += 3.0);
        assert!((frechet_distance(&a, &shifted) - 9.0).abs() < 1e-9);
        assert!(frechet_distance(&a, &[]).is_nan());
    }

    #[test]
    fn eigenvectors_make_the_matrix_again() {
        let (_, matrix) = fitted(&vectors(30, 7, 3)).unwrap();
        let root = square_root(&matrix);
        let again = multiplied(&root, &root);
        for (row, expected) in again.iter().zip(&matrix) {
            for (found, expected) in row.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-10);
            }
        }
    }
}
