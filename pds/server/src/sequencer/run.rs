//! Stored events as messages.

use pds_repo::event::Frame;
use pds_store::event::Batch;

use super::message::Run;

/// Stored bytes that are read at once.
pub(super) const READ_BYTES: usize = 256 << 10;

/// The events of batches after number `after` up to `upto`, in runs of at least [`READ_BYTES`], except for the last one. A run is at most one
/// batch longer; batches may be much longer than they are as stored.
pub(super) fn runs(
    batches: &[Batch],
    after: i64,
    upto: i64,
    bytes: usize,
) -> impl Iterator<Item = pds_store::Result<Run>> {
    let mut batches = batches.iter();
    std::iter::from_fn(move || {
        let (mut frames, mut gathered) = (Vec::new(), 0);
        while gathered < bytes
            && let Some(batch) = batches.next()
        {
            let unpacked = match batch.frames() {
                Ok(unpacked) => unpacked.into_iter().filter(|(seq, _)| *seq > after && *seq <= upto),
                Err(error) => return Some(Err(error)),
            };
            let begun = frames.len();
            frames.extend(unpacked);
            gathered += frames[begun..].iter().map(|(seq, frame): &(i64, Frame)| frame.len(*seq)).sum::<usize>();
        }
        (!frames.is_empty()).then(|| Ok(Run::new(&frames)))
    })
}
