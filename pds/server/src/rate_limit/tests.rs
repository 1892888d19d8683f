//! Each limit refuses at its number, and not before.

use std::collections::HashMap;

use super::*;

const NOW: i64 = 1_700_000_000_000_000;

async fn limits() -> RateLimits {
    let variables = HashMap::from([
        ("PDS_JWT_SECRET", "jwt-secret-of-a-test-that-is-long-enough".to_owned()),
        ("PDS_ADMIN_PASSWORD", "admin-password".to_owned()),
        ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", "11".repeat(32)),
        ("PDS_KEY_ENCRYPTION_KEY", "22".repeat(32)),
        ("RATE_LIMIT_AUTHENTICATED", "6000000".to_owned()),
        ("RATE_LIMIT_AUTHENTICATED_BURST", "100000".to_owned()),
    ]);
    let (settings, secrets) = Settings::from_env(|name| variables.get(name).cloned()).unwrap();
    RateLimits::start(&settings, &secrets, CancellationToken::new()).await.unwrap()
}

/// How many requests at once pass, and which limit the next one meets.
async fn passed(limits: &RateLimits, method: Option<MethodLimits>, principal: &Principal) -> (u32, &'static str) {
    for passed in 0..100_000 {
        let standing = limits.charge_request(method.as_ref(), principal, "198.51.100.1", NOW).await.unwrap();
        if standing.retry_after.is_some() {
            return (passed, standing.limit.name);
        }
    }
    (u32::MAX, "none")
}

#[tokio::test]
async fn methods_have_the_limits_of_the_reference() {
    let (nobody, alice) = (Principal::Anybody, Principal::Account("did:plc:alice".to_owned()));
    let own = MethodLimits::writes;
    let cases = [
        (None, &nobody, 10, "unauthenticated"),
        (Some(MethodLimits::SIGN_UPS), &nobody, 100, "create-account"),
        (Some(MethodLimits::WIDE), &nobody, 3000, "address"),
        (Some(MethodLimits::EXPORTS), &nobody, 6000, "get-repo"),
        (Some(own(cost::CREATE)), &nobody, 3000, "address"),
        (Some(own(cost::CREATE)), &alice, 5000 / 3, "repo-write-hour"),
        (Some(own(cost::UPDATE)), &alice, 5000 / 2, "repo-write-hour"),
        (Some(own(cost::DELETE)), &alice, 5000, "repo-write-hour"),
        (Some(MethodLimits::IMPORTS), &alice, 10, "import-repo"),
        (Some(MethodLimits::HANDLES), &alice, 10, "update-handle"),
    ];
    for (method, principal, count, limit) in cases {
        assert_eq!(passed(&limits().await, method, principal).await, (count, limit), "{method:?}");
    }
}

#[tokio::test]
async fn a_day_has_limits_too() {
    let limits = limits().await;
    let hours = |hour: i64| NOW + hour * 3_600_000_000;
    let drawn = async |limit: &[Limit], cost, hour| limits.charge(limit, "alice", cost, hours(hour)).await.unwrap();
    for hour in 0..7 {
        assert_eq!(drawn(&WRITES, 5000, hour).await.retry_after, None, "{hour}");
    }
    assert_eq!(drawn(&WRITES, 1, 7).await.limit.name, "repo-write-day");
    assert_eq!(drawn(&WRITES, 1, 24).await.retry_after, None);
    for n in 0..300 {
        assert_eq!(drawn(&LOGINS, 1, n / 30).await.retry_after, None, "{n}");
    }
    assert_eq!(drawn(&LOGINS, 1, 10).await.limit.name, "create-session-day");
    assert_eq!(drawn(&LOGINS, 1, 24).await.retry_after, None);
}

#[test]
fn references_to_blobs_cost_points_beyond_a_few() {
    let costs = [19, 20, 100, 1_000, 2_000].map(|count| cost::of_references(count, cost::CREATE));
    assert_eq!(costs, [0, 0, 2, 47, 97]);
}
