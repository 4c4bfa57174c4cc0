//! Names of parameters in other programs: rules that lead from a parameter's path to the name and the
//! layout of its tensor.
//!
//! A rule has two patterns, such as `blocks.{i}.conv.weight` for the parameter and
//! `features.{3*i+1}.weight` for the tensor. What stands in braces is a number that both share. A rule
//! is read from the parameter to the tensor: a file that is read must have each tensor so named, and a
//! file that is written gets these names.

use super::layout::Layout;

/// The layers that several rules are made for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A fully-connected layer.
    Dense,
    /// A convolution over frames.
    Conv1d,
    /// A convolution over frames and bins.
    Conv2d,
    /// A convolution of one frame, which is a dense layer here.
    Pointwise,
    /// Batch norm.
    Norm,
    /// A direction of a recurrent layer. The tensor's name has `{leaf}` where `weight_ih` stands.
    Recurrent,
}

/// The program whose names and layouts a layer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Style {
    /// PyTorch: outputs first; `weight`, `running_var`.
    #[default]
    Pytorch,
    /// TensorFlow and Keras: outputs last; `kernel`, `moving_variance`.
    Tensorflow,
}

/// Where `{leaf}` stands in a name, the tensor's own name goes.
const LEAF: &str = "{leaf}";

/// The tensor of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    /// Its name.
    pub(crate) tensor: String,
    /// The name of its lengths, where it is kept by weight norm.
    pub(crate) lengths: Option<String>,
    /// Its layout.
    pub(crate) layout: Layout,
}

/// A rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) parameter: Pattern,
    pub(crate) tensor: Pattern,
    pub(crate) lengths: Option<Pattern>,
    pub(crate) layout: Layout,
}

/// The rules of a network. The first that fits a parameter holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    rules: Vec<Rule>,
    /// Patterns of tensors that become no parameter; `*` stands for anything.
    ignored: Vec<String>,
    /// Ahead of each tensor's name.
    pub(crate) prefix: String,
    /// What batch norm adds to a variance in the other program, if it is not what Sori adds.
    pub(crate) epsilon: Option<f64>,
    /// Whether a parameter without a rule has its own name and layout.
    its_own: bool,
}

impl Names {
    /// No rules yet; what stands ahead of each tensor's name, and what batch norm adds to a variance.
    pub(super) fn with(prefix: String, epsilon: Option<f64>) -> Self {
        Self {
            prefix,
            epsilon,
            ..Self::default()
        }
    }

    /// The names of a file that Sori wrote with its own.
    pub(crate) fn its_own() -> Self {
        Self {
            its_own: true,
            ..Self::default()
        }
    }

    /// The tensor of the parameter `path`, or none if no rule fits.
    pub(crate) fn origin(&self, path: &str) -> Option<Origin> {
        let own = || Origin {
            tensor: format!("{}{path}", self.prefix),
            lengths: None,
            layout: Layout::default(),
        };
        let found = self.rules.iter().find_map(|rule| {
            let numbers = rule.parameter.numbers(path)?;
            let name = |pattern: &Pattern| format!("{}{}", self.prefix, pattern.fill(&numbers));
            Some(Origin {
                tensor: name(&rule.tensor),
                lengths: rule.lengths.as_ref().map(name),
                layout: rule.layout.clone(),
            })
        });
        found.or_else(|| self.its_own.then(own))
    }

    /// Whether the tensor `name` need not become a parameter.
    pub(crate) fn ignores(&self, name: &str) -> bool {
        self.ignored.iter().any(|pattern| fits(pattern, name))
    }

    /// Adds a rule.
    pub(crate) fn rule(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Adds a pattern of tensors that become no parameter.
    pub(crate) fn ignore(&mut self, pattern: &str) {
        self.ignored.push(pattern.to_string());
    }

    /// Adds the rules of `later` behind these.
    pub(crate) fn then(&mut self, later: Self) {
        self.rules.extend(later.rules);
        self.ignored.extend(later.ignored);
        self.its_own |= later.its_own;
    }

    /// Adds the rules of a layer: the pattern of its path here, and of its name there. `changed` is the layout
    /// of its weight, and of all tensors of batch norm.
    ///
    /// # Errors
    /// When a pattern is wrong.
    pub(crate) fn layer(
        &mut self,
        kind: Kind,
        style: Style,
        parameter: &str,
        tensor: &str,
        changed: &Layout,
    ) -> Result<(), String> {
        for leaf in leaves(kind, style) {
            let name = match (tensor.contains(LEAF), style) {
                (true, _) => tensor.replace(LEAF, leaf.theirs),
                (false, Style::Pytorch) => format!("{tensor}.{}", leaf.theirs),
                (false, Style::Tensorflow) => format!("{tensor}/{}", leaf.theirs),
            };
            let layout = match kind {
                _ if leaf.is_weight => Layout {
                    axes: leaf.axes.map(<[usize]>::to_vec),
                    squeezed: leaf.squeezed.to_vec(),
                    ..changed.clone()
                },
                Kind::Norm => changed.clone(),
                _ => Layout::default(),
            };
            self.rules.push(Rule {
                parameter: Pattern::parse(&format!("{parameter}.{}", leaf.ours))?,
                tensor: Pattern::parse(&name)?,
                lengths: None,
                layout,
            });
        }
        Ok(())
    }
}

/// A tensor of a layer.
struct Leaf {
    ours: &'static str,
    theirs: &'static str,
    is_weight: bool,
    axes: Option<&'static [usize]>,
    squeezed: &'static [usize],
}

fn leaves(kind: Kind, style: Style) -> Vec<Leaf> {
    let weight = |ours, theirs, axes, squeezed| Leaf {
        ours,
        theirs,
        is_weight: true,
        axes,
        squeezed,
    };
    let other = |ours, theirs| Leaf {
        ours,
        theirs,
        is_weight: false,
        axes: None,
        squeezed: &[],
    };
    let (torch, reversed): (bool, Option<&'static [usize]>) = match style {
        Style::Pytorch => (true, Some(&[1, 0])),
        Style::Tensorflow => (false, None),
    };
    let kernel = if torch { "weight" } else { "kernel" };
    let pick = |axes: &'static [usize]| torch.then_some(axes);
    match kind {
        Kind::Dense => vec![
            weight("weight", kernel, reversed, &[]),
            other("bias", "bias"),
        ],
        Kind::Conv1d => vec![
            weight("weight", kernel, pick(&[2, 1, 0]), &[]),
            other("bias", "bias"),
        ],
        Kind::Conv2d => vec![
            weight("weight", kernel, pick(&[2, 3, 1, 0]), &[]),
            other("bias", "bias"),
        ],
        Kind::Pointwise => vec![
            weight("weight", kernel, pick(&[2, 1, 0]), &[0]),
            other("bias", "bias"),
        ],
        Kind::Norm if torch => vec![
            other("gamma", "weight"),
            other("beta", "bias"),
            other("running_mean", "running_mean"),
            other("running_var", "running_var"),
        ],
        Kind::Norm => vec![
            other("gamma", "gamma"),
            other("beta", "beta"),
            other("running_mean", "moving_mean"),
            other("running_var", "moving_variance"),
        ],
        Kind::Recurrent => vec![
            weight(
                "weight_input",
                if torch { "weight_ih" } else { "kernel" },
                reversed,
                &[],
            ),
            weight(
                "weight_state",
                if torch {
                    "weight_hh"
                } else {
                    "recurrent_kernel"
                },
                reversed,
                &[],
            ),
            other("bias_input", if torch { "bias_ih" } else { "bias" }),
            other(
                "bias_state",
                if torch { "bias_hh" } else { "recurrent_bias" },
            ),
        ],
    }
}

/// A name with numbers in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `{scale*name+offset}`.
    Number {
        name: String,
        scale: usize,
        offset: usize,
    },
}

/// The numbers of a pattern by name.
type Numbers = Vec<(String, usize)>;

impl Pattern {
    /// Reads a pattern such as `blocks.{i}.weight` or `net.{3*i+1}.weight`.
    ///
    /// # Errors
    /// When what stands in braces is no such number.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let wrong =
                || format!("{text}: a number in a pattern reads {{i}}, {{i+2}} or {{3*i+1}}");
            let (inside, after) = after.split_once('}').ok_or_else(wrong)?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_string()));
            }
            let (inside, offset) = match inside.split_once('+') {
                Some((inside, offset)) => (inside, offset.trim().parse().map_err(|_| wrong())?),
                None => (inside, 0),
            };
            let (scale, name) = match inside.split_once('*') {
                Some((scale, name)) => (scale.trim().parse().map_err(|_| wrong())?, name.trim()),
                None => (1, inside.trim()),
            };
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase());
            if !is_name || scale == 0 {
                return Err(wrong());
            }
            pieces.push(Piece::Number {
                name: name.to_string(),
                scale,
                offset,
            });
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_string()));
        }
        Ok(Self(pieces))
    }

    /// The names of its numbers.
    pub(crate) fn names(&self) -> Vec<&str> {
        let names = self.0.iter().filter_map(|piece| match piece {
            Piece::Number { name, .. } => Some(name.as_str()),
            Piece::Text(_) => None,
        });
        names.collect()
    }

    /// The numbers for which the pattern is `text`, or none if it is not.
    pub(crate) fn numbers(&self, text: &str) -> Option<Numbers> {
        let mut rest = text;
        let mut numbers = Numbers::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                Piece::Number {
                    name,
                    scale,
                    offset,
                } => {
                    let digits =
                        rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                    let (number, after) = rest.split_at(digits);
                    let number: usize = number.parse().ok()?;
                    let number = number.checked_sub(*offset)?;
                    if !number.is_multiple_of(*scale) {
                        return None;
                    }
                    let number = number / scale;
                    if numbers
                        .iter()
                        .any(|(known, value)| known == name && *value != number)
                    {
                        return None;
                    }
                    numbers.push((name.clone(), number));
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(numbers)
    }

    /// The pattern with these numbers.
    fn fill(&self, numbers: &Numbers) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Number {
                name,
                scale,
                offset,
            } => {
                let number = numbers.iter().find(|(known, _)| known == name);
                number
                    .map_or(0, |(_, number)| {
                        number.saturating_mul(*scale).saturating_add(*offset)
                    })
                    .to_string()
            }
        };
        self.0.iter().map(piece).collect()
    }
}

/// Whether `text` is of the pattern, in which each `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_leads_from_one_name_to_the_other() {
        let ours = Pattern::parse("blocks.{i}.convs.{j}.weight").unwrap();
        let theirs = Pattern::parse("net.{3*i+1}.{j}.weight").unwrap();
        let numbers = ours.numbers("blocks.2.convs.10.weight").unwrap();
        assert_eq!(theirs.fill(&numbers), "net.7.10.weight");
        assert_eq!(theirs.numbers("net.7.10.weight"), Some(numbers));
        assert_eq!(theirs.numbers("net.8.10.weight"), None);
        assert_eq!(ours.numbers("blocks.x.convs.1.weight"), None);
        assert!(Pattern::parse("a.{i-1}").is_err());
        assert!(Pattern::parse("a.{i").is_err());
    }

    #[test]
    fn a_star_stands_for_anything() {
        assert!(fits("*.num_batches_tracked", "a.b.num_batches_tracked"));
        assert!(fits("model/*/Adam*", "model/conv/kernel/Adam_1"));
        assert!(!fits("*.num_batches_tracked", "a.num_batches"));
        assert!(!fits("ab*ba", "aba"));
    }
}
