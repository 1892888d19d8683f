//! Somebody whose account is at another server, and who moves.

use pds_crypto::{
    SigningKey,
    service_token::{Claims, issue},
};
use pds_identity::plc::{self, Directory, Last, Operation, PlcService};
use pds_syntax::Did;
use serde_json::{Value, json};

use super::{Answer, TestPds, send};

/// An identity with a signing key that the other server has, and a rotation key that its owner has.
pub(crate) struct Mover {
    pub(crate) did: Did,
    pub(crate) key: SigningKey,
    pub(crate) rotation: SigningKey,
}

impl Mover {
    /// With a did:plc in `directory`.
    pub(crate) async fn new(directory: &dyn Directory) -> Self {
        let (key, rotation) = (SigningKey::generate(), SigningKey::generate());
        let handle = "alice.elsewhere.org".parse().unwrap();
        let genesis = plc::genesis(&key.did_key(), &rotation.did_key(), None, &handle, "https://elsewhere.org");
        let genesis = genesis.sign(&rotation);
        let did = genesis.did();
        directory.submit(&did, &genesis).await.unwrap();
        Self { did, key, rotation }
    }

    /// The claims of a token for a method of the server under test.
    pub(crate) fn claims(&self, method: &str) -> Claims {
        let now = jiff::Timestamp::now().as_second();
        let (iss, aud, lxm) = (self.did.to_string(), "did:web:pds.test".to_owned(), Some(method.to_owned()));
        Claims { iss, aud, exp: now + 60, iat: Some(now), lxm, jti: None }
    }

    /// A service token for a method of the server under test.
    pub(crate) fn token(&self, method: &str) -> String {
        issue(&self.key, &self.claims(method)).unwrap()
    }

    /// The answer to `createAccount` as `alice.pds.test`.
    pub(crate) async fn move_in(&self, pds: &TestPds) -> Answer {
        self.move_in_as(pds, "alice.pds.test").await
    }

    /// The answer to `createAccount` with this handle.
    pub(crate) async fn move_in_as(&self, pds: &TestPds, handle: &str) -> Answer {
        const METHOD: &str = "com.atproto.server.createAccount";
        let input = json!({
            "did": self.did, "handle": handle, "email": "alice@example.com", "password": "correct horse",
            "inviteCode": pds.invite(1).await,
        });
        send(pds.post(METHOD).bearer_auth(self.token(METHOD)).json(&input)).await
    }

    /// The next operation with these credentials, signed by the owner.
    pub(crate) fn operation(&self, last: &Last, credentials: &Value) -> Value {
        let texts = |field: &str| serde_json::from_value(credentials[field].clone()).unwrap();
        let service = &credentials["services"]["atproto_pds"];
        let text = |field: &str| service[field].as_str().unwrap().to_owned();
        let mut rotation_keys: Vec<String> = texts("rotationKeys");
        rotation_keys.insert(0, self.rotation.did_key());
        let next = Operation {
            rotation_keys,
            also_known_as: texts("alsoKnownAs"),
            verification_methods: serde_json::from_value(credentials["verificationMethods"].clone()).unwrap(),
            services: [("atproto_pds".to_owned(), PlcService { kind: text("type"), endpoint: text("endpoint") })]
                .into(),
            ..last.next()
        };
        serde_json::to_value(next.sign(&self.rotation)).unwrap()
    }
}
