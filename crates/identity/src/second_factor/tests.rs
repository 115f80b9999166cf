use std::sync::Arc;

use kernel::{Principal, Reason, Secret, Tenant};
use tempfile::TempDir;
use totp_rs::{Builder, Secret as Seed};

use super::Proof;
use crate::{
    Identity, NewUser, User,
    backoff::Target,
    entry::{Entered, Visitor},
    login::tests::{PASSWORD, cheap, identity_with, visitor},
};

/// Somebody with a password, and the base32 of a second factor.
struct Story {
    identity: Arc<Identity>,
    tenant: Arc<Tenant>,
    user: User,
    seed: String,
    _folder: TempDir,
}

impl Story {
    /// With a second factor that was begun.
    async fn begun() -> Self {
        let (identity, tenant, folder) = identity_with(cheap()).await;
        let open = identity.tenants.open(&tenant).await.unwrap();
        let new = NewUser { username: "known".into(), password: Some(Secret::new(PASSWORD)), ..NewUser::default() };
        let user = identity.create_user(&open, new).await.unwrap();
        let mut story = Self { identity, tenant, user, seed: String::new(), _folder: folder };
        let (tenant, caller) = (&story.tenant, story.caller());
        let begun = story.identity.begin_second_factor(tenant, &visitor(), &caller, &Secret::new(PASSWORD)).await;
        story.seed = begun.unwrap().secret;
        story
    }

    /// With one in force, and its recovery codes.
    async fn in_force() -> (Self, Vec<String>) {
        let story = Self::begun().await;
        let codes = story.confirm(&story.code(-1)).await.unwrap();
        (story, codes)
    }

    fn caller(&self) -> Principal {
        Principal {
            id: self.user.id,
            number: self.user.number,
            username: self.user.username.clone(),
            email: None,
            name: self.user.name.clone(),
            group: Arc::new(self.user.group.clone()),
            toolkit_overrides: Arc::default(),
            credential: kernel::Credential::Session(uuid::Uuid::nil()),
        }
    }

    /// The code of so many steps from now.
    fn code(&self, steps: i64) -> String {
        let seed = Seed::try_from_base32(&self.seed).unwrap().as_bytes().to_vec();
        let moment = kernel::time::now().as_second() + steps * 30;
        Builder::new().with_secret(seed).build().unwrap().generate(moment as u64).to_string()
    }

    async fn confirm(&self, code: &str) -> kernel::Result<Vec<String>> {
        self.identity.confirm_second_factor(&self.tenant, &visitor(), &self.caller(), &Secret::new(code)).await
    }

    async fn log_in(&self) -> kernel::Result<Entered> {
        self.identity.log_in(&self.tenant, &visitor(), "known", &Secret::new(PASSWORD)).await
    }

    async fn ticket(&self) -> String {
        let error = self.log_in().await.err().unwrap();
        assert_eq!(error.reason, Reason::SecondFactorRequired);
        error.ticket.unwrap().text
    }

    async fn enter_from(&self, visitor: &Visitor, ticket: &str, proof: &Proof) -> Result<(), Reason> {
        let entered = self.identity.enter_with_ticket(&self.tenant, visitor, ticket, proof).await;
        entered.map(drop).map_err(|error| error.reason)
    }

    async fn enter(&self, ticket: &str, code: &str) -> Result<(), Reason> {
        self.enter_from(&visitor(), ticket, &Proof::Code(Secret::new(code))).await
    }

    async fn recover(&self, ticket: &str, code: &str) -> Result<(), Reason> {
        self.enter_from(&visitor(), ticket, &Proof::RecoveryCode(Secret::new(code))).await
    }
}

/// So that no step ends between a code's making and its taking.
async fn early_in_a_step() {
    let into = kernel::time::now().as_second() % 30;
    if into > 15 {
        tokio::time::sleep(std::time::Duration::from_secs((30 - into) as u64)).await;
    }
}

#[tokio::test]
async fn it_is_in_force_once_a_code_has_proved_it() {
    early_in_a_step().await;
    let story = Story::begun().await;
    assert!(story.log_in().await.is_ok(), "not in force yet");
    assert_eq!(story.confirm("000000").await.unwrap_err().reason, Reason::CodeInvalid);
    assert_eq!(story.confirm(&story.code(-1)).await.unwrap().len(), 10);
    assert_eq!(story.confirm(&story.code(0)).await.unwrap_err().reason, Reason::SecondFactorEnabled);
    let ticket = story.ticket().await;
    assert_eq!(story.enter(&ticket, &story.code(-1)).await, Err(Reason::CodeInvalid), "taken already");
    assert_eq!(story.enter(&ticket, &story.code(0)).await, Ok(()));
    assert_eq!(story.enter(&ticket, &story.code(1)).await, Err(Reason::TicketInvalid), "used up");
    let (ticket, code) = (story.ticket().await, story.code(0));
    assert_eq!(story.enter(&ticket, &code).await, Err(Reason::CodeInvalid), "an older step");
    assert_eq!(story.enter(&ticket, &story.code(1)).await, Ok(()));
}

#[tokio::test]
async fn each_recovery_code_is_good_once() {
    early_in_a_step().await;
    let (story, codes) = Story::in_force().await;
    assert_eq!(story.recover(&story.ticket().await, &codes[0]).await, Ok(()));
    assert_eq!(story.recover(&story.ticket().await, &codes[0]).await, Err(Reason::CodeInvalid));
    assert_eq!(story.recover(&story.ticket().await, &codes[1].to_uppercase()).await, Ok(()));
    let state = story.identity.second_factor(&story.tenant, &story.caller()).await.unwrap();
    assert_eq!((state.recovery_codes_left, state.confirmed_at.is_some()), (8, true));
    let (tenant, caller, password) = (&story.tenant, story.caller(), Secret::new(PASSWORD));
    let (from, code) = (visitor(), Secret::new(story.code(0)));
    let renewed = story.identity.renew_recovery_codes(tenant, &from, &caller, &password, &code);
    let renewed = renewed.await.unwrap();
    assert_eq!(story.recover(&story.ticket().await, &codes[2]).await, Err(Reason::CodeInvalid), "void");
    assert_eq!(story.recover(&story.ticket().await, &renewed[2]).await, Ok(()));
}

#[tokio::test]
async fn what_changes_a_credential_voids_the_ticket() {
    early_in_a_step().await;
    let (story, _) = Story::in_force().await;
    let open = story.identity.tenants.open(&story.tenant).await.unwrap();
    let ticket = story.ticket().await;
    story.identity.set_password(&open, story.user.id, &Secret::new("another good one")).await.unwrap();
    assert_eq!(story.enter(&ticket, &story.code(0)).await, Err(Reason::TicketInvalid));
    story.identity.set_password(&open, story.user.id, &Secret::new(PASSWORD)).await.unwrap();
    let ticket = story.ticket().await;
    story.identity.set_status(&open, story.user.id, crate::UserStatus::Suspended).await.unwrap();
    assert_eq!(story.enter(&ticket, &story.code(0)).await, Err(Reason::TicketInvalid));
    story.identity.set_status(&open, story.user.id, crate::UserStatus::Active).await.unwrap();
    assert!(story.identity.reset_second_factor(&open, story.user.id).await.unwrap());
    assert_eq!(
        story.enter(&ticket, &story.code(0)).await,
        Err(Reason::TicketInvalid),
        "log in again, by password alone"
    );
    assert!(story.log_in().await.is_ok());
    assert!(!story.identity.reset_second_factor(&open, story.user.id).await.unwrap());
}

#[tokio::test]
async fn codes_cannot_be_tried_out() {
    early_in_a_step().await;
    let (story, _) = Story::in_force().await;
    let ticket = story.ticket().await;
    for _ in 0..5 {
        assert_eq!(story.enter(&ticket, "000000").await, Err(Reason::CodeInvalid));
    }
    assert_eq!(story.enter(&ticket, &story.code(0)).await, Err(Reason::RateLimited));
    let elsewhere = Visitor { client: [198, 51, 100, 7].into(), ..visitor() };
    let proof = Proof::Code(Secret::new(story.code(0)));
    assert_eq!(story.enter_from(&elsewhere, &ticket, &proof).await, Err(Reason::TicketInvalid), "tried too often");
    assert_eq!(story.enter_from(&elsewhere, &story.ticket().await, &proof).await, Ok(()));
    let targets = Target::code(story.tenant.id, &story.user.id.to_string(), visitor().client);
    story.identity.backoff.forget(targets);
}

#[tokio::test]
async fn of_a_hundred_with_one_code_one_gets_in() {
    early_in_a_step().await;
    let (story, codes) = Story::in_force().await;
    let story = Arc::new(story);
    let code = story.code(0);
    for proof in [Proof::Code(Secret::new(code)), Proof::RecoveryCode(Secret::new(&*codes[0]))] {
        let mut crowd = tokio::task::JoinSet::new();
        for number in 0..100_u8 {
            // Each with a ticket and from a network of its own, so that nothing else holds them up.
            let (story, ticket, proof) = (Arc::clone(&story), story.ticket().await, proof.clone());
            let visitor = Visitor { client: [198, 51, number, 7].into(), ..visitor() };
            crowd.spawn(async move { story.enter_from(&visitor, &ticket, &proof).await });
        }
        let outcomes = crowd.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        story.identity.backoff.forget(Target::code(story.tenant.id, &story.user.id.to_string(), visitor().client));
    }
}
