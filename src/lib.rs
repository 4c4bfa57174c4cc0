//! sori
