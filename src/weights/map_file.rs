//! Rules from a TOML file.

use std::path::Path;

use serde::Deserialize;

use super::layout::{Alternating, Blocks, Front, Layout};
use super::names::{Kind, Names, Pattern, Rule, Style};
use crate::{Error, Result};

/// The contents of a map.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MapFile {
    /// Ahead of the name of each tensor.
    prefix: String,
    /// What batch norm adds to a variance.
    epsilon: Option<f64>,
    /// Tensors that become no parameter.
    ignore: Vec<String>,
    /// Layers, each several rules.
    layer: Vec<LayerEntry>,
    /// Rules.
    rule: Vec<RuleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerEntry {
    parameter: String,
    tensor: String,
    kind: Kind,
    #[serde(default)]
    style: Style,
    #[serde(default)]
    blocks: Option<Blocks>,
    #[serde(default)]
    alternating: Option<Alternating>,
    #[serde(default)]
    front: Option<Front>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    parameter: String,
    tensor: String,
    /// The tensor of its lengths, of a weight norm.
    #[serde(default)]
    lengths: Option<String>,
    #[serde(default)]
    axes: Option<Vec<usize>>,
    #[serde(default)]
    blocks: Option<Blocks>,
    #[serde(default)]
    alternating: Option<Alternating>,
    #[serde(default)]
    front: Option<Front>,
    #[serde(default)]
    add: f64,
}

impl Names {
    /// The rules of the map in the file `path`.
    ///
    /// # Errors
    /// When it cannot be read, or a rule is wrong.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("cannot read", path))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// The rules of a map. Errors call it `origin`.
    ///
    /// # Errors
    /// When a rule is wrong.
    pub(crate) fn parse(text: &str, origin: &str) -> Result<Self> {
        let bad = |reason: String| Error::Config {
            origin: origin.to_string(),
            reason,
        };
        let map: MapFile = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        if let Some(epsilon) = map.epsilon
            && !(0.0..1.0).contains(&epsilon)
        {
            return Err(bad(format!(
                "`epsilon` is {epsilon}; it must be from 0 to below 1, such as 1e-3"
            )));
        }
        let mut names = Self::with(map.prefix, map.epsilon);
        for pattern in &map.ignore {
            names.ignore(pattern);
        }
        for entry in map.rule {
            names.rule(entry.rule().map_err(bad)?);
        }
        for entry in map.layer {
            let layout = Layout {
                blocks: entry.blocks,
                alternating: entry.alternating,
                front: entry.front,
                ..Layout::default()
            };
            check(&entry.parameter, &entry.tensor).map_err(bad)?;
            let (parameter, tensor) = (&entry.parameter, &entry.tensor);
            let added = names.layer(entry.kind, entry.style, parameter, tensor, &layout);
            added.map_err(bad)?;
        }
        Ok(names)
    }
}

impl RuleEntry {
    fn rule(self) -> std::result::Result<Rule, String> {
        check(&self.parameter, &self.tensor)?;
        if !self.add.is_finite() {
            return Err(format!("`add` of {} is {}", self.parameter, self.add));
        }
        let lengths = self.lengths.as_deref();
        if let Some(lengths) = lengths {
            check(&self.parameter, lengths)?;
        }
        Ok(Rule {
            parameter: Pattern::parse(&self.parameter)?,
            tensor: Pattern::parse(&self.tensor)?,
            lengths: lengths.map(Pattern::parse).transpose()?,
            layout: Layout {
                blocks: self.blocks,
                alternating: self.alternating,
                front: self.front,
                axes: self.axes,
                squeezed: Vec::new(),
                add: self.add,
            },
        })
    }
}

/// Checks that a tensor's name has no number that the parameter's path does not have.
fn check(parameter: &str, tensor: &str) -> std::result::Result<(), String> {
    let ours = Pattern::parse(parameter)?;
    let theirs = Pattern::parse(&tensor.replace("{leaf}", ""))?;
    let known = ours.names();
    match theirs
        .names()
        .into_iter()
        .find(|name| !known.contains(name))
    {
        None => Ok(()),
        Some(name) => Err(format!(
            "{tensor} has the number {{{name}}}, which {parameter} does not have"
        )),
    }
}
