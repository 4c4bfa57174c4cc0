//! Errors of predicted values: MAE, RMSE, R² and the negative log-likelihood.

use std::f64::consts::TAU;
use std::fmt::Write;

use super::csv::csv_cell;

/// A predicted value of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueError {
    /// The recording.
    pub id: String,
    /// The true value.
    pub truth: f64,
    /// The predicted value.
    pub value: f64,
    /// The predicted standard deviation, if there is one.
    pub deviation: Option<f64>,
}

impl ValueError {
    /// The absolute error.
    pub fn error(&self) -> f64 {
        (self.value - self.truth).abs()
    }
}

/// Errors of the values of a whole set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValueErrors {
    /// The error of each recording.
    pub all: Vec<ValueError>,
}

impl ValueErrors {
    fn mean(&self, of: impl Fn(&ValueError) -> f64) -> f64 {
        self.all.iter().map(of).sum::<f64>() / self.all.len().max(1) as f64
    }

    /// The mean absolute error, in the unit of the numbers.
    pub fn mae(&self) -> f64 {
        self.mean(ValueError::error)
    }

    /// The root of the mean squared error, in the unit of the numbers.
    pub fn rmse(&self) -> f64 {
        self.mean(|each| each.error().powi(2)).sqrt()
    }

    /// The coefficient of determination, R²: the share of the variance that the predictions explain.
    /// Perfect predictions have 1, the mean alone has 0, worse ones are negative. If all true values
    /// are equal, it is 1 for perfect predictions and otherwise 0.
    pub fn r2(&self) -> f64 {
        let mean = self.mean(|each| each.truth);
        let total = self.mean(|each| (each.truth - mean).powi(2));
        let left = self.mean(|each| each.error().powi(2));
        let mut others = self.all.iter().skip(1);
        let differ = others.any(|each| each.truth != self.all[0].truth);
        match (differ, left > 0.0) {
            (true, _) => 1.0 - left / total,
            (false, left) => f64::from(u8::from(!left)),
        }
    }

    /// The mean negative log-likelihood in nats, of densities per unit, or none without predicted
    /// deviations.
    pub fn nll(&self) -> Option<f64> {
        let surprise = |each: &ValueError| {
            let deviation = each.deviation?;
            Some(0.5 * (TAU.ln() + (each.error() / deviation).powi(2)) + deviation.ln())
        };
        let sum = self.all.iter().map(surprise).sum::<Option<f64>>()?;
        (!self.all.is_empty()).then(|| sum / self.all.len() as f64)
    }

    /// The errors, worst first.
    pub fn worst_first(&self) -> Vec<&ValueError> {
        let mut order: Vec<&ValueError> = self.all.iter().collect();
        order.sort_by(|a, b| b.error().total_cmp(&a.error()));
        order
    }

    /// The errors, worst first, as comma-separated values.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from("id,truth,value,deviation,error\n");
        for each in self.worst_first() {
            let deviation = each.deviation.map_or_else(String::new, |d| d.to_string());
            let (id, error) = (csv_cell(&each.id), each.error());
            // Writing into a string cannot fail.
            let _ = writeln!(
                csv,
                "{id},{},{},{deviation},{error}",
                each.truth, each.value
            );
        }
        csv
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[(f64, f64, f64)]) -> ValueErrors {
        let each = |(index, &(truth, value, deviation)): (usize, &(f64, f64, f64))| ValueError {
            id: format!("r{index}"),
            truth,
            value,
            deviation: Some(deviation),
        };
        ValueErrors {
            all: rows.iter().enumerate().map(each).collect(),
        }
    }

    /// scikit-learn 1.9.1: `mean_absolute_error`, `root_mean_squared_error`, `r2_score`; scipy 1.17.1:
    /// `-norm.logpdf(truth, value, deviation).mean()`.
    #[test]
    fn errors_are_scikit_learns() {
        let found = of(&[
            (3.0, 2.5, 0.5),
            (-0.5, 0.0, 1.5),
            (2.0, 2.0, 0.1),
            (7.0, 8.0, 2.0),
        ]);
        for (found, expected) in [
            (found.mae(), 0.5),
            (found.rmse(), 0.612_372_435_695_794_5),
            (found.r2(), 0.948_608_137_044_967_9),
            (found.nll().unwrap(), NLL),
        ] {
            assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
        }
    }
    const NLL: f64 = 0.614_797_425_872_091_3;

    #[test]
    fn the_worst_comes_first() {
        let csv = of(&[(1.0, 1.5, 1.0), (1.0, -1.0, 1.0)]).to_csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[1], "r1,1,-1,1,2");
        assert_eq!(lines[2], "r0,1,1.5,1,0.5");
    }

    #[test]
    fn equal_numbers_leave_nothing_to_explain() {
        assert_eq!(of(&[(1.0, 1.0, 1.0), (1.0, 1.0, 1.0)]).r2(), 1.0);
        assert_eq!(of(&[(1.0, 1.0, 1.0), (1.0, 2.0, 1.0)]).r2(), 0.0);
        assert_eq!(of(&[(0.1, 0.2, 1.0); 80]).r2(), 0.0);
    }
}
