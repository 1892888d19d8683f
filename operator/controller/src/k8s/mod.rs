//! Helpers around Kubernetes objects that know no kind of ours.

pub mod apply;
pub mod hash;
pub mod labels;
pub mod security;
