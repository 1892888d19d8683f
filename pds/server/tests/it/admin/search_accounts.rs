//! `com.atproto.admin.searchAccounts`

use serde_json::Value;

use crate::{harness::TestPds, on_both};

/// The handles of all pages.
async fn search(pds: &TestPds, email: Option<&str>, limit: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut params = vec![("limit", limit)];
        params.extend(email.map(|email| ("email", email)));
        params.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = pds.admin_query("com.atproto.admin.searchAccounts", &params).await.ok();
        let accounts = page["accounts"].as_array().unwrap();
        found.extend(accounts.iter().map(|account| account["handle"].as_str().unwrap().to_owned()));
        cursor = page.get("cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return found;
        }
    }
}

on_both!(accounts_are_found_by_the_beginning_of_their_address_and_in_pages, |pds| async move {
    for name in ["anna", "annabel", "bob", "carol", "dave"] {
        pds.person(name).await;
    }
    for limit in ["1", "2", "50"] {
        let all = search(&pds, None, limit).await;
        assert_eq!(all, ["anna", "annabel", "bob", "carol", "dave"].map(|name| format!("{name}.pds.test")), "{limit}");
        assert_eq!(search(&pds, Some("ANNA"), limit).await, ["anna.pds.test", "annabel.pds.test"], "{limit}");
    }
    assert_eq!(search(&pds, Some("bob@example.com"), "50").await, ["bob.pds.test"]);
    assert!(search(&pds, Some("%"), "50").await.is_empty(), "no pattern");
    for params in [[("limit", "0")], [("limit", "101")], [("cursor", "x")]] {
        let refused = pds.admin_query("com.atproto.admin.searchAccounts", &params).await;
        assert_eq!(refused.error(), (400, "InvalidRequest"), "{params:?}");
    }
});
