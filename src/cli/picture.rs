//! Options of commands that draw pictures.

use clap::Args;

use crate::show::Theme;

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct PictureArgs {
    /// Colours of a picture: light or dark
    #[arg(long, value_name = "light|dark", default_value_t)]
    pub(super) theme: Theme,
}
