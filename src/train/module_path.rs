use std::fmt;

/// Where in a model a visitor is, shown as `blocks.0.weight`. The variant of the zoo's `Model` is
/// left out (it is the run's model name), and that it is the model of a learner.
#[derive(Default)]
pub(super) struct ModulePath(Vec<Option<String>>);

/// The container and the field of a learner's model.
const LEARNER: (&str, &str) = ("Struct:Learner", "model");

impl ModulePath {
    /// To be called from `enter_module`.
    pub(super) fn enter(&mut self, name: &str, container: &str) {
        let outer = container.starts_with("Enum:") || (container, name) == LEARNER;
        let part = (!outer).then(|| name.to_string());
        self.0.push(part);
    }

    /// To be called from `exit_module`.
    pub(super) fn exit(&mut self) {
        self.0.pop();
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> = self.0.iter().flatten().map(String::as_str).collect();
        f.write_str(&parts.join("."))
    }
}
