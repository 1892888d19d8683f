//! `com.atproto.temp.checkHandleAvailability`

use crate::on_both;

const METHOD: &str = "com.atproto.temp.checkHandleAvailability";

on_both!(a_taken_or_reserved_handle_gets_suggestions_that_are_free, |pds| async move {
    pds.person("alice").await;
    let free = pds.query(METHOD, &[("handle", "Bob.pds.test")]).await.ok();
    assert_eq!(free["handle"], "bob.pds.test");
    assert_eq!(free["result"]["$type"], "com.atproto.temp.checkHandleAvailability#resultAvailable");
    for handle in ["alice.pds.test", "support.pds.test"] {
        let taken = pds.query(METHOD, &[("handle", handle)]).await.ok();
        assert_eq!(taken["result"]["$type"], "com.atproto.temp.checkHandleAvailability#resultUnavailable");
        let suggestions = taken["result"]["suggestions"].as_array().unwrap();
        assert!((1..=3).contains(&suggestions.len()), "{taken}");
        for suggestion in suggestions {
            let suggested = pds.query(METHOD, &[("handle", suggestion["handle"].as_str().unwrap())]).await.ok();
            assert_eq!(suggested["result"]["$type"], "com.atproto.temp.checkHandleAvailability#resultAvailable");
        }
    }
    for (handle, error) in [("x.pds.test", "InvalidHandle"), ("elsewhere.example.com", "UnsupportedDomain")] {
        assert_eq!(pds.query(METHOD, &[("handle", handle)]).await.error(), (400, error), "{handle}");
    }
    // Says nothing about addresses but whether they could be one.
    for email in ["alice@example.com", "new@example.com"] {
        pds.query(METHOD, &[("handle", "bob.pds.test"), ("email", email)]).await.ok();
    }
    let refused = pds.query(METHOD, &[("handle", "bob.pds.test"), ("email", "none")]).await;
    assert_eq!(refused.error(), (400, "InvalidEmail"));
    assert_eq!(pds.query(METHOD, &[]).await.error(), (400, "InvalidRequest"));
});
