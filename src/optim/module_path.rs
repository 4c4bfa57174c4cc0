//! Paths of parameters in a model.

use std::fmt;

/// The position of a visitor in a model, shown as `blocks.0.weight`. The variant of the zoo's `Model`
/// is left out, as it is the run's model name, and so is the field of a learner that holds the model.
#[derive(Default)]
pub(crate) struct ModulePath(Vec<Option<String>>);

/// The container and the field of a learner's model.
const LEARNER: (&str, &str) = ("Struct:NetworkAndAdversary", "model");

impl ModulePath {
    /// Goes down into a field; called from `enter_module`.
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        let outer = container.starts_with("Enum:") || (container, name) == LEARNER;
        let part = (!outer).then(|| name.to_string());
        self.0.push(part);
    }

    /// Goes up again; called from `exit_module`.
    pub(crate) fn exit(&mut self) {
        self.0.pop();
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> = self.0.iter().flatten().map(String::as_str).collect();
        f.write_str(&parts.join("."))
    }
}
