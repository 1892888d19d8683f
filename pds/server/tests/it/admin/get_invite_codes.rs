//! `com.atproto.admin.getInviteCodes`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.admin.getInviteCodes";

on_both!(codes_are_listed_by_time_or_use_in_pages, |pds| async move {
    pds.clock.freeze();
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(pds.invite(3).await);
        pds.clock.forward(std::time::Duration::from_secs(1));
    }
    for (name, code) in [("alice", 2), ("bob", 2), ("carol", 0)] {
        let input = json!({
            "handle": format!("{name}.pds.test"), "email": format!("{name}@example.com"), "password": "correct horse",
            "inviteCode": codes[code],
        });
        pds.sign_up(input).await.ok();
    }
    for (sort, expected) in [("recent", [4, 3, 2, 1, 0]), ("usage", [2, 0, 9, 9, 9])] {
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut params = vec![("sort", sort), ("limit", "2")];
            params.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = pds.admin_query(METHOD, &params).await.ok();
            for code in page["codes"].as_array().unwrap() {
                let at = codes.iter().position(|known| code["code"] == **known).unwrap();
                assert_eq!(code["uses"].as_array().unwrap().len(), [1, 0, 2, 0, 0][at], "{code}");
                assert_eq!((code["available"].as_i64(), code["createdBy"].as_str()), (Some(3), Some("admin")));
                seen.push(at);
            }
            cursor = page["cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 5, "{sort}");
        let known = expected.iter().zip(&seen).filter(|(expected, _)| **expected < 5);
        assert!(known.clone().all(|(expected, seen)| expected == seen), "{sort}: {seen:?}");
    }
    for params in [[("sort", "colour")], [("cursor", "x")], [("limit", "501")], [("limit", "0")]] {
        assert_eq!(pds.admin_query(METHOD, &params).await.error(), (400, "InvalidRequest"), "{params:?}");
    }
});
