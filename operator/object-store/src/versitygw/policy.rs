//! What the user of a bucket may do.

use serde_json::{Value, json};

use crate::marker::FOLDER;

/// Lets one user in, and keeps it from the operator's own objects.
pub(super) fn of_bucket(bucket: &str, user: &str) -> Value {
    let arn = format!("arn:aws:s3:::{bucket}");
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": [user]},
                "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"],
                "Resource": [arn],
            },
            {
                "Effect": "Allow",
                "Principal": {"AWS": [user]},
                "Action": [
                    "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
                ],
                "Resource": [format!("{arn}/*")],
            },
            {
                "Effect": "Deny",
                "Principal": {"AWS": [user]},
                "Action": ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
                // An upload by an HTML form is checked without its key, so a rule for a folder would not hold there: forms are closed.
                "Resource": [arn, format!("{arn}/"), format!("{arn}/{FOLDER}*")],
            },
        ],
    })
}
