//! `com.atproto.server.createSession` in its inputs; logging in is in the module above`

use std::time::Duration;

use data_encoding::HEXLOWER;
use pds_store::{
    account,
    app_password::{self, Kind, NewAppPassword},
};
use sha2::{Digest, Sha256};

use crate::on_both;

on_both!(passwords_are_compared_up_to_a_length, |pds| async move {
    pds.person("alice").await;
    for (password, message) in [
        ("x".repeat(512), "Invalid identifier or password"),
        ("x".repeat(513), "Password too long. Consider resetting your password."),
    ] {
        let refused = pds.log_in("alice.pds.test", &password).await;
        assert_eq!(
            (refused.error(), refused.body["message"].as_str()),
            ((401, "AuthenticationRequired"), Some(message))
        );
    }
    // Of the form of an app password, but none.
    let refused = pds.log_in("alice.pds.test", "aaaa-bbbb-cccc-dddd").await;
    assert_eq!(refused.error(), (401, "AuthenticationRequired"));
});

on_both!(hashes_from_elsewhere_are_good_for_logging_in_and_are_replaced, |pds| async move {
    // AL-ACC-2
    let alice = pds.person("alice").await;
    let bcrypt = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned();
    let salt = "00112233445566778899aabbccddeeff";
    let scrypt = pds.app.passwords.hash_of_reference("battery staple", salt, "").await.unwrap();
    let scrypt = format!("{salt}:{}", HEXLOWER.encode(&scrypt));
    for (hash, password) in [(bcrypt, "U*U"), (scrypt, "battery staple")] {
        let stored = async || account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap();
        let mut tx = pds.app.db.begin().await.unwrap();
        account::set_password_hash(&mut tx, stored().await.id, &hash).await.unwrap();
        tx.commit().await.unwrap();

        assert_eq!(pds.log_in("alice.pds.test", "correct horse").await.error(), (401, "AuthenticationRequired"));
        assert_eq!(stored().await.password_hash.as_ref(), Some(&hash));
        let session = pds.person_of(pds.log_in("alice.pds.test", password).await.ok());
        let upgraded = stored().await.password_hash.unwrap();
        assert!(upgraded.starts_with("$argon2id$"), "{upgraded}");
        pds.log_in("alice.pds.test", password).await.ok();
        session.query("com.atproto.server.getSession", &[]).await.ok();
    }
});

on_both!(app_passwords_from_the_reference_are_good_for_logging_in, |pds| async move {
    // AL-APP-1
    let (alice, password) = (pds.person("alice").await, "abcd-efgh-2345-mnop");
    let stored = account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap();
    let salt = HEXLOWER.encode(&Sha256::digest(&alice.did)[..16]);
    let digest = pds.app.passwords.hash_of_reference(password, &salt, "").await.unwrap();
    let (account_id, kind) = (stored.id, Kind::Scrypt);
    let new = NewAppPassword {
        account_id,
        name: "old",
        kind,
        digest: &digest,
        privileged: true,
        scopes: None,
        created_at: 0,
    };
    let mut tx = pds.app.db.begin().await.unwrap();
    app_password::create(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(pds.log_in("alice.pds.test", "abcd-efgh-2345-mnoq").await.error(), (401, "AuthenticationRequired"));
    while pds.app.passwords.free() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..2 {
        pds.log_in("alice.pds.test", password).await.ok();
        assert!(pds.app.passwords.free() > 0, "a right password was taken for a wrong one");
        assert_eq!(app_password::count(&pds.app.db, stored.id, Kind::Scrypt).await.unwrap(), 0);
    }
});
