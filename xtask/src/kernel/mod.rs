//! From a name in the catalog to a kernel, one file a stage, in the order it runs.

pub mod catalog;
pub mod source;
