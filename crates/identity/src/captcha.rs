//! Captchas: an outside provider tells whether a person has solved one.

use std::{net::IpAddr, sync::LazyLock, time::Duration};

use kernel::{Error, Reason, Result, Secret, Tenant};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::Identity;

const TIME: Duration = Duration::from_secs(5);
const MOST_BYTES: usize = 64 << 10;
/// Answers of captchas have some thousand characters at the most.
const LONGEST: usize = 8_192;

/// Captchas that strangers must solve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptchaConfig {
    /// Who makes and checks them: `turnstile`, `hcaptcha` or `recaptcha`.
    pub provider: CaptchaProvider,
    /// The secret key of the site at the provider.
    pub secret: Secret,
    /// Where answers are checked, in the place of the provider's own address.
    pub verify_url: Option<Url>,
    /// The least score that is let through, from 0 to 1, where the provider gives one.
    pub min_score: Option<f64>,
    /// What needs one: `register`, `anonymous`, `forgot`, `login`.
    #[serde(default = "strangers")]
    pub on: Vec<CaptchaAction>,
}

fn strangers() -> Vec<CaptchaAction> {
    vec![CaptchaAction::Register, CaptchaAction::Anonymous, CaptchaAction::Forgot]
}

impl CaptchaConfig {
    /// What the types alone cannot refuse: a key with what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.secret.expose().is_empty() {
            return Err(("captcha.secret", "the provider gives you one"));
        }
        if self.min_score.is_some_and(|score| !(0.0..=1.0).contains(&score)) {
            return Err(("captcha.min_score", "a score is from 0 to 1"));
        }
        if self.verify_url.as_ref().is_some_and(|url| !matches!(url.scheme(), "https" | "http")) {
            return Err(("captcha.verify_url", "write a URL that begins with https://"));
        }
        Ok(())
    }
}

/// Providers of captchas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CaptchaProvider {
    /// Cloudflare Turnstile.
    Turnstile,
    /// hCaptcha.
    Hcaptcha,
    /// Google reCAPTCHA, version 2 or 3.
    Recaptcha,
}

impl CaptchaProvider {
    const fn url(self) -> &'static str {
        match self {
            Self::Turnstile => "https://challenges.cloudflare.com/turnstile/v0/siteverify",
            Self::Hcaptcha => "https://api.hcaptcha.com/siteverify",
            Self::Recaptcha => "https://www.google.com/recaptcha/api/siteverify",
        }
    }
}

/// What a captcha can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CaptchaAction {
    /// Registering.
    Register,
    /// Beginning an anonymous session.
    Anonymous,
    /// Asking for a letter by which to reset a password.
    Forgot,
    /// Logging in with a password.
    Login,
}

/// What a provider says of an answer; all of the three say it like this.
#[derive(Deserialize)]
struct Verdict {
    success: bool,
    score: Option<f64>,
    #[serde(default, rename = "error-codes")]
    error_codes: Vec<String>,
}

impl Identity {
    /// Has the answer of a captcha checked where the tenant asks for one. Where the provider cannot be asked, nobody is
    /// let through.
    ///
    /// Errors: 403 `captcha_failed`; 502 `provider_unavailable`.
    pub(crate) async fn captcha(
        &self,
        tenant: &Tenant,
        action: CaptchaAction,
        answer: Option<&str>,
        client: IpAddr,
    ) -> Result<()> {
        let settings = self.settings.of(tenant).await?;
        let Some(captcha) = settings.captcha.as_ref().filter(|captcha| captcha.on.contains(&action)) else {
            return Ok(());
        };
        let failed = || Error::plain(Reason::CaptchaFailed).at("captcha");
        let answer = answer.filter(|answer| (1..=LONGEST).contains(&answer.len())).ok_or_else(failed)?;
        let verdict = ask(captcha, answer, client).await.map_err(|error| {
            tracing::warn!(tenant = tenant.name, error, "the provider of captchas cannot be asked");
            Error::new(Reason::ProviderUnavailable, "The captcha cannot be checked at the moment; try again shortly")
        })?;
        // The secret is wrong: that is for the operator to know.
        if verdict.error_codes.iter().any(|code| code.contains("secret")) {
            tracing::warn!(tenant = tenant.name, codes = ?verdict.error_codes, "the provider of captchas refuses the secret");
        }
        let enough = captcha.min_score.is_none_or(|least| verdict.score.is_some_and(|score| score >= least));
        if verdict.success && enough { Ok(()) } else { Err(failed()) }
    }
}

async fn ask(captcha: &CaptchaConfig, answer: &str, client: IpAddr) -> Result<Verdict, String> {
    static CLIENT: LazyLock<Result<reqwest::Client, String>> = LazyLock::new(|| {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIME);
        client.build().map_err(|error| error.to_string())
    });
    // What goes wrong is told without the URL's query and without the form.
    let told = |error: reqwest::Error| error.without_url().to_string();
    let url = captcha.verify_url.as_ref().map_or(captcha.provider.url(), Url::as_str);
    let client = client.to_string();
    let form = [("secret", captcha.secret.expose()), ("response", answer), ("remoteip", &*client)];
    let request = CLIENT.as_ref().map_err(Clone::clone)?.post(url).form(&form);
    let mut response = request.send().await.map_err(told)?;
    if !response.status().is_success() {
        return Err(format!("it answers {}", response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(told)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err("its answer is too large".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|_| "its answer is not what it should be".to_owned())
}
