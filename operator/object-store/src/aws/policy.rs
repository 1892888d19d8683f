//! Policies of users and roles.

use serde_json::{Value, json};

use super::WorkloadIdentity;
use crate::marker::FOLDER;

/// Name of the inline policy.
pub(super) const NAME: &str = "bucket";

/// This bucket only, without the operator's own objects.
pub(super) fn of_bucket(partition: &str, bucket: &str) -> Value {
    let arn = format!("arn:{partition}:s3:::{bucket}");
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"],
                "Resource": [arn],
            },
            {
                "Effect": "Allow",
                "Action": [
                    "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
                ],
                "Resource": [format!("{arn}/*")],
            },
            {
                "Effect": "Deny",
                "Action": ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
                "Resource": [format!("{arn}/{FOLDER}*")],
            },
        ],
    })
}

/// Exactly one service account may take the role.
pub(super) fn of_trust(identity: &WorkloadIdentity, service_account: &str) -> Value {
    let issuer = identity.oidc_issuer.trim_start_matches("https://").trim_end_matches('/');
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": identity.oidc_provider_arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    format!("{issuer}:sub"): service_account,
                    format!("{issuer}:aud"): "sts.amazonaws.com",
                },
            },
        }],
    })
}

/// The partition of a region: buckets in China and in GovCloud have other ARNs.
pub(super) fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Whether a policy that IAM gave back, in percent-encoding, is the wanted one.
pub(super) fn is_same(document: &str, wanted: &Value) -> bool {
    let (text, _) = url::form_urlencoded::parse(format!("p={}", document.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, text)| (text.into_owned(), ()))
        .unwrap_or_default();
    [document, &text].iter().any(|text| serde_json::from_str::<Value>(text).is_ok_and(|found| found == *wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_trusts_one_service_account() {
        let identity = WorkloadIdentity {
            oidc_provider_arn: "arn:aws:iam::1:oidc-provider/oidc.test/id".into(),
            oidc_issuer: "https://oidc.test/id/".into(),
        };
        let trust = of_trust(&identity, "system:serviceaccount:team:pds");
        let condition = &trust["Statement"][0]["Condition"];
        assert_eq!(condition.as_object().unwrap().len(), 1, "StringLike would take patterns");
        assert_eq!(condition["StringEquals"]["oidc.test/id:sub"], "system:serviceaccount:team:pds");
        assert_eq!(condition["StringEquals"]["oidc.test/id:aud"], "sts.amazonaws.com");
    }

    #[test]
    fn policies_are_compared_as_iam_encodes_them() {
        let wanted = json!({"a": "b+c d"});
        assert!(is_same("%7B%22a%22%3A%22b%2Bc%20d%22%7D", &wanted));
        assert!(is_same(r#"{"a": "b+c d"}"#, &wanted));
        assert!(!is_same("%7B%7D", &wanted) && !is_same("", &wanted));
    }
}
