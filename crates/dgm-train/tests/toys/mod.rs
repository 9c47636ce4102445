//! Models of a stranger's, and who watches them, one file each: they use what the crates offer to everybody and register nothing.

pub(crate) mod arm;
pub(crate) mod contrastive;
pub(crate) mod gan;
pub(crate) mod kde;
pub(crate) mod warnings;
