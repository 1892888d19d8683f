//! pds/blobstore.
