//! `com.atproto.repo.getRecord`

use crate::on_both;

on_both!(a_record_is_read_by_its_name_and_its_cid, |pds| async move {
    let alice = pds.person("alice").await;
    let rkey = alice.post("hi").await;
    let get = async |rkey: &str, cid: &str| {
        let params = [("repo", alice.did.as_str()), ("collection", "app.bsky.feed.post"), ("rkey", rkey), ("cid", cid)];
        pds.query("com.atproto.repo.getRecord", &params).await
    };
    let cid = get(&rkey, "").await.ok()["cid"].as_str().unwrap().to_owned();
    assert_eq!(get(&rkey, &cid).await.ok()["value"]["text"], "hi");
    let other = "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454";
    assert_eq!(get(&rkey, other).await.error(), (400, "RecordNotFound"));
    assert_eq!(get("3k2a222222222", "").await.error(), (400, "RecordNotFound"));
    for (rkey, cid) in [("..", ""), (rkey.as_str(), "no cid")] {
        assert_eq!(get(rkey, cid).await.error(), (400, "InvalidRequest"), "{rkey} {cid}");
    }
});
