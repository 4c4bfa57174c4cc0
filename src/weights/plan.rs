//! The plan of an import: which tensor of a file becomes which parameter of a network, and what does not
//! fit.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::TensorData;
use sori_models::layers::BATCH_NORM_EPSILON;

use super::file::WeightFile;
use super::layout::{Values, of_weight_norm, same_but_ones};
use super::names::{Names, Origin};
use super::stored::bad;
use crate::Result;

/// Names that an error lists of each kind.
const LISTED: usize = 10;
/// What may stand ahead of all names of a file.
const PREFIXES: [&str; 6] = [
    "state_dict.",
    "model_state_dict.",
    "model.",
    "module.",
    "network.",
    "net.",
];
/// The end of the path of a variance, to which batch norm adds ε.
const VARIANCE: &str = "running_var";

/// A parameter and its tensor.
pub(crate) struct Row {
    /// The path of the parameter.
    pub(crate) parameter: String,
    /// Its shape.
    pub(crate) shape: Vec<usize>,
    /// Its tensor; none if no rule fits the parameter.
    pub(crate) origin: Option<Origin>,
    /// The tensor's shape; none if the file does not have it.
    pub(crate) found: Option<Vec<usize>>,
    /// What is wrong.
    pub(crate) problem: Option<String>,
}

/// Which tensor becomes which parameter.
pub(crate) struct Plan {
    /// The parameters of the network, by path.
    pub(crate) rows: Vec<Row>,
    /// Tensors of the file that become no parameter and are not to be ignored.
    pub(crate) superfluous: Vec<String>,
    file: String,
}

impl Plan {
    /// The plan for the parameters of these paths and shapes.
    pub(crate) fn new(
        file: &WeightFile,
        mut names: Names,
        parameters: &BTreeMap<String, Vec<usize>>,
    ) -> Self {
        if names.prefix.is_empty() {
            names.prefix = prefix_of(file, &names, parameters.keys());
        }
        let mut used = BTreeSet::new();
        let rows = parameters.iter().map(|(parameter, shape)| {
            let mut row = Row {
                parameter: parameter.clone(),
                shape: shape.clone(),
                origin: names.origin(parameter),
                found: None,
                problem: None,
            };
            if let Some(origin) = &mut row.origin {
                used.insert(origin.tensor.clone());
                used.extend(origin.lengths.clone());
                if parameter.rsplit('.').next() == Some(VARIANCE)
                    && let Some(epsilon) = names.epsilon
                {
                    origin.layout.add += epsilon - BATCH_NORM_EPSILON;
                }
                row.found = file.shape(&origin.tensor);
                row.problem = problem(file, origin, row.found.as_deref(), shape);
            } else {
                row.problem = Some("no rule says where it is".to_string());
            }
            row
        });
        let rows: Vec<Row> = rows.collect();
        // What is beside the network, such as an optimizer's state, has another prefix.
        let of_network = |name: &&str| name.starts_with(&names.prefix) && !names.ignores(name);
        let superfluous = file
            .tensors()
            .filter(of_network)
            .filter(|name| !used.contains(*name) && file.is_weight(name))
            .map(str::to_string)
            .collect();
        Self {
            rows,
            superfluous,
            file: file.name().to_string(),
        }
    }

    /// # Errors
    /// When a parameter has no tensor or a misshapen one, or a tensor becomes no parameter: all are named.
    pub(crate) fn check(&self, network: &str) -> Result<()> {
        let wrong = self.rows.iter().filter_map(|row| {
            let problem = row.problem.as_ref()?;
            Some(format!("{}: {problem}", row.parameter))
        });
        let wrong: Vec<String> = wrong.collect();
        if wrong.is_empty() && self.superfluous.is_empty() {
            return Ok(());
        }
        let mut reason = format!("this does not fit {network}");
        if wrong.len() == self.rows.len() {
            reason.push_str(
                ": none of its parameters is there; is it another architecture's, or does it need a map of \
                 names",
            );
        }
        reason.push_str(&listed(&wrong, "\n  parameter "));
        reason.push_str(&listed(&self.superfluous, "\n  superfluous tensor "));
        Err(bad(&self.file, reason))
    }

    /// The parameters, read one by one.
    ///
    /// # Errors
    /// When a tensor cannot be read or holds anything but finite numbers. The plan must have been checked.
    pub(crate) fn read(&self, file: &WeightFile) -> Result<BTreeMap<String, TensorData>> {
        let rows = self.rows.iter().map(|row| {
            let read = |name: &str| -> Result<Values> {
                Ok(Values {
                    shape: file.shape(name).unwrap_or_default(),
                    values: file.read(name)?,
                })
            };
            let none = || {
                bad(
                    &self.file,
                    format!("parameter {}: it has no tensor", row.parameter),
                )
            };
            let origin = row.origin.as_ref().ok_or_else(none)?;
            let mut tensor = read(&origin.tensor)?;
            if let Some(lengths) = &origin.lengths {
                tensor = of_weight_norm(tensor, &read(lengths)?)
                    .map_err(|e| bad(&self.file, format!("tensor {}: {e}", origin.tensor)))?;
            }
            let values = origin.layout.apply(tensor, &row.shape);
            let is_wrong = |value: &&f32| {
                let no_variance = f64::from(**value) + BATCH_NORM_EPSILON <= 0.0;
                !value.is_finite() || row.parameter.ends_with(VARIANCE) && no_variance
            };
            if let Some(value) = values.values.iter().find(is_wrong) {
                let reason = format!(
                    "tensor {}: {value} would be in {}",
                    origin.tensor, row.parameter
                );
                return Err(bad(&self.file, reason));
            }
            let data = TensorData::new(values.values, row.shape.clone());
            Ok((row.parameter.clone(), data))
        });
        rows.collect()
    }
}

/// What is wrong with the tensor of a parameter of `shape`.
fn problem(
    file: &WeightFile,
    origin: &Origin,
    found: Option<&[usize]>,
    shape: &[usize],
) -> Option<String> {
    let Some(found) = found else {
        return Some(format!("there is no tensor {}", origin.tensor));
    };
    if let Some(lengths) = &origin.lengths
        && file.shape(lengths).is_none()
    {
        return Some(format!("there is no tensor {lengths}"));
    }
    match origin.layout.shape_of(found) {
        Err(reason) => Some(format!("tensor {}: {reason}", origin.tensor)),
        Ok(becomes) if !same_but_ones(&becomes, shape) => Some(format!(
            "its shape is {shape:?}, and tensor {} of {found:?} becomes {becomes:?}",
            origin.tensor
        )),
        Ok(_) => None,
    }
}

/// What stands ahead of the names of all tensors, if with it more of the parameters are there than without.
fn prefix_of<'a>(
    file: &WeightFile,
    names: &Names,
    parameters: impl Iterator<Item = &'a String> + Clone,
) -> String {
    let count = |prefix: &str| {
        let origins = parameters.clone().filter_map(|path| names.origin(path));
        let there = |origin: &Origin| file.shape(&format!("{prefix}{}", origin.tensor)).is_some();
        origins.filter(there).count()
    };
    let mut best = (count(""), String::new());
    for first in PREFIXES {
        for second in ["", "model.", "module."] {
            let prefix = format!("{first}{second}");
            let count = count(&prefix);
            if count > best.0 {
                best = (count, prefix);
            }
        }
    }
    best.1
}

fn listed(names: &[String], before: &str) -> String {
    let mut text: String = names
        .iter()
        .take(LISTED)
        .map(|name| format!("{before}{name}"))
        .collect();
    if names.len() > LISTED {
        text.push_str(&format!("{before}… and {} more", names.len() - LISTED));
    }
    text
}
