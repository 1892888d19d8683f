//! Blobs: uploads, reading, objects that the blob store lost, and deleting what nothing refers to.

mod blobs;
mod checks;
mod dimensions;
mod discard;
mod disposition;
mod lost;
mod media_type;
mod redirect;
mod refused_uploads;
mod sweep;
mod upload;

pub use blobs::{Blobs, Parts};
pub use dimensions::{HEAD_BYTES, dimensions};
pub use disposition::disposition;
pub use redirect::Target;
pub use upload::{Error, Uploaded};
