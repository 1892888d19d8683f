//! Preferences of accounts.

use pds_store::{account, preference};

use crate::harness::{Alice, Store, on_both};

on_both!(preferences_are_replaced_and_go_with_nothing_else);

async fn preferences_are_replaced_and_go_with_nothing_else(store: Store) {
    let (alice, bob) = (Alice::create(&store.db, "alice").await, Alice::create(&store.db, "bob").await);
    assert_eq!(preference::get(&store.db, alice.id).await.unwrap(), None);
    for value in ["[]", r#"[{"$type":"a.b.c","text":"ü"}]"#] {
        let mut tx = store.begin().await;
        account::lock(&mut tx, alice.id).await.unwrap().unwrap();
        preference::put(&mut tx, alice.id, value).await.unwrap();
        assert_eq!(preference::get(&mut tx, alice.id).await.unwrap().as_deref(), Some(value));
        tx.commit().await.unwrap();
    }
    assert_eq!(
        preference::get(&store.db, alice.id).await.unwrap().as_deref(),
        Some(r#"[{"$type":"a.b.c","text":"ü"}]"#)
    );
    assert_eq!(preference::get(&store.db, bob.id).await.unwrap(), None);
}
