//! Whoever reads the database cannot use what it holds to enter.

use pds_store::email_token::Purpose;

use crate::on_both;

on_both!(a_copy_of_the_database_opens_no_door, |pds| async move {
    // AL-ACC-3, AL-APP-1, AL-MAIL-2
    let alice = pds.person("alice").await;
    let app_password = alice.app_password("client", true).await;
    let client = pds.person_of(pds.log_in("alice.pds.test", &app_password).await.ok());
    let code = pds.code(&alice, Purpose::ResetPassword).await;
    let bare_code = code.replace('-', "");
    let dump = pds.database.dump();
    let holds = |text: &str| {
        // Postgres prints bytes in hexadecimal.
        let printed = data_encoding::HEXLOWER.encode(text.as_bytes());
        [text, &printed].iter().any(|text| dump.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    assert!(holds(&alice.did) && holds("alice@example.com"), "the copy is one of this database");
    let tokens = [&alice.access, &alice.refresh, &client.access, &client.refresh];
    let mut secrets: Vec<&str> = tokens.iter().map(|token| token.rsplit('.').next().unwrap()).collect();
    secrets.extend(tokens.map(String::as_str));
    secrets.extend(["correct horse", &app_password, &code, &bare_code]);
    for secret in secrets {
        assert!(!holds(secret), "{secret} is in the database");
    }
});
