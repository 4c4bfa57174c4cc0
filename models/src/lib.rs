//! Audio and speech models as Burn modules.
