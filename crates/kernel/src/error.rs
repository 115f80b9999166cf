//! One error for every room, and the one table of reasons that callers may rely on.

use std::fmt;

/// The result of anything that can be refused or can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! reasons {
    ($($variant:ident $word:literal $status:literal $meaning:literal,)*) => {
        /// Why a request was refused: a stable word that programs may compare, with its HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason { $(#[doc = $meaning] $variant,)* }

        impl Reason {
            /// Every reason there is, in the order of the book's error page.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word as it is sent in the field `reason`.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// One sentence for people: what it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

reasons! {
    MalformedJson "malformed_json" 400 "The body is not well-formed JSON in UTF-8.",
    BodyNotObject "body_not_object" 400 "The body is JSON, but not an object.",
    DuplicateKey "duplicate_key" 400 "An object in the body names a key twice.",
    TooDeep "too_deep" 400 "The body nests more deeply than is allowed.",
    MediaType "unsupported_media_type" 400 "A body was sent that is not declared as application/json.",
    BadRequest "bad_request" 400 "The request cannot be read as HTTP or its address is malformed.",
    FieldMissing "field_missing" 400 "A required field is not there.",
    FieldUnknown "field_unknown" 400 "A field is not one that this request has.",
    FieldInvalid "field_invalid" 400 "A field has the wrong type or a value out of its range.",
    UnknownTable "unknown_table" 400 "The table does not exist.",
    UnknownColumn "unknown_column" 400 "The column does not exist or may not be used.",
    AmbiguousColumn "ambiguous_column" 400 "The column is in several tables of the query; write it as table.column.",
    ValueInvalid "value_invalid" 400 "A value does not fit the type of its column.",
    JoinInvalid "join_invalid" 400 "The condition of a join is not of the form table.column = table.column.",
    FilterInvalid "filter_invalid" 400 "A filter node is none of leaf, and, or, not.",
    FilterTooDeep "filter_too_deep" 400 "The filter nests more deeply than 16 levels.",
    TooManyConditions "too_many_conditions" 400 "The query has more conditions than the caller's group may use.",
    WhereRequired "where_required" 400 "An update or a delete needs a condition.",
    NothingToWrite "nothing_to_write" 400 "No column is left to write.",
    BatchInvalid "batch_invalid" 400 "A batch is empty, too long, or mixes what cannot be mixed.",
    BatchFailed "batch_failed" 400 "A statement of the batch failed; `results` tells which and why.",
    KeyRequired "key_required" 400 "The table has no key, so that this cannot be done to single rows of it.",
    ViewReadOnly "view_read_only" 400 "The target is a view, which can only be read.",
    UniqueViolation "unique_violation" 400 "A value that must be unique is already there.",
    ForeignKeyViolation "foreign_key_violation" 400 "A row that is referred to does not exist, or is still in use.",
    NotNullViolation "not_null_violation" 400 "A column that needs a value got none.",
    CheckViolation "check_violation" 400 "A check of the table refuses the row.",
    LinkRefused "link_refused" 400 "The outside provider refused, or the attempt to link or log in with it has expired.",
    NoToken "no_token" 401 "No authorization token was sent.",
    SessionInvalid "session_invalid" 401 "The session has expired, was ended, or the token is not genuine.",
    CredentialsInvalid "credentials_invalid" 401 "The user does not exist or the secret is wrong.",
    SecondFactorRequired "second_factor_required" 401 "The password was right; send the ticket with a code of the second factor.",
    CodeInvalid "code_invalid" 401 "The code of the second factor is wrong or was used already.",
    TicketInvalid "ticket_invalid" 401 "The ticket of the log in has expired; log in again.",
    RefreshInvalid "refresh_invalid" 401 "The refresh token has expired, was used already or is not genuine; log in again.",
    KeyInvalid "key_invalid" 401 "The API key does not exist or is not genuine.",
    KeyExpired "key_expired" 401 "The API key has expired; rotate it or make another.",
    KeyRevoked "key_revoked" 401 "The API key was revoked.",
    ForeignTokenInvalid "foreign_token_invalid" 401 "The issuer does not vouch for the token.",
    PowerTooLow "power_too_low" 403 "The caller's group has too little power for this.",
    AbilityMissing "ability_missing" 403 "The caller's group lacks the ability that this needs.",
    TableDenied "table_denied" 403 "No rule lets the caller do this with the table.",
    ColumnsDenied "columns_denied" 403 "None of the columns may be read by the caller.",
    RuleDenied "rule_denied" 403 "A row rule refuses the row as it would be.",
    BatchDenied "batch_denied" 403 "The caller's group may not send batches.",
    TenantMismatch "tenant_mismatch" 403 "The credential belongs to another tenant than the host.",
    TenantSuspended "tenant_suspended" 403 "The tenant is suspended by the operator.",
    AddressNotAllowed "address_not_allowed" 403 "The caller's address may not do this.",
    OriginNotAllowed "origin_not_allowed" 403 "The API key may not be used by web pages of this origin.",
    ScopeMissing "scope_missing" 403 "The API key lacks the scope that this needs.",
    SessionRequired "session_required" 403 "An API key cannot do this; it needs a user's session.",
    CaptchaFailed "captcha_failed" 403 "The captcha was not solved, or its answer was used before.",
    EmailUnverified "email_unverified" 403 "The e-mail address must be confirmed first.",
    LoginTooOld "login_too_old" 403 "This needs a log in of the last few minutes; log in again.",
    EndpointDenied "endpoint_denied" 403 "The caller's group in the toolkit does not have this endpoint.",
    RegistrationClosed "registration_closed" 403 "This tenant does not let strangers register.",
    RouteNotFound "route_not_found" 404 "There is nothing at this path.",
    NotFound "not_found" 404 "The object does not exist.",
    ToolkitUnknown "toolkit_unknown" 404 "The tenant has no such toolkit, or it is switched off.",
    EndpointUnknown "endpoint_unknown" 404 "The toolkit has no endpoint at this path.",
    ProviderUnknown "provider_unknown" 404 "The tenant has no outside provider of this name.",
    MethodNotAllowed "method_not_allowed" 405 "The path exists, but not with this method.",
    UsernameTaken "username_taken" 409 "Another user of the tenant has this name.",
    EmailTaken "email_taken" 409 "Another user of the tenant has this e-mail address.",
    AlreadyInitialised "already_initialised" 409 "The installation has its first tenant already.",
    NameTaken "name_taken" 409 "Another object has this name.",
    Conflict "conflict" 409 "Another change came first; read again and repeat.",
    AlreadyLinked "already_linked" 409 "The outside account belongs to another user already, or the user has another one of its provider.",
    LastCredential "last_credential" 409 "Without this the user could not log in any more.",
    LastAdministrator "last_administrator" 409 "The tenant would be left without anyone who may do everything.",
    NotAnonymous "not_anonymous" 409 "The caller is a registered user already.",
    SecondFactorEnabled "second_factor_enabled" 409 "The user has a second factor already.",
    InUse "in_use" 409 "Others still refer to the object.",
    StepRefused "step_refused" 409 "A step of the endpoint did not find what it expects; nothing was written.",
    TokenSpent "token_spent" 410 "The link was used, was replaced by a newer one, or has expired; ask for another.",
    BodyTooLarge "body_too_large" 413 "The body is larger than is allowed here.",
    HostUnknown "host_unknown" 421 "No tenant answers at this host name.",
    PasswordUnfit "password_unfit" 422 "The password is too short, too long or among the commonest.",
    UsernameUnfit "username_unfit" 422 "The user name has characters or a length that is not allowed.",
    EmailUnfit "email_unfit" 422 "The e-mail address is not one.",
    RateLimited "rate_limited" 429 "Too many requests from this address.",
    HeadersTooLarge "headers_too_large" 431 "The headers are larger than is allowed.",
    Internal "internal" 500 "The server failed; its log tells more under the request id.",
    ReloadFailed "reload_failed" 500 "The new configuration is broken; the old one stays in force.",
    ProviderUnavailable "provider_unavailable" 502 "The outside provider cannot be reached or answers nonsense.",
    UpstreamUnavailable "upstream_unavailable" 502 "The service behind the endpoint cannot be reached or broke off.",
    UpstreamInvalid "upstream_invalid" 502 "The service or program behind the endpoint answered what it must not.",
    ProgramFailed "program_failed" 502 "The program behind the endpoint failed or exceeded its limits.",
    NotInitialised "not_initialised" 503 "The installation has no tenant yet.",
    DatabaseUnavailable "database_unavailable" 503 "The database cannot be reached or is overloaded.",
    SecretsUnreadable "secrets_unreadable" 503 "The tenant's secrets cannot be opened, or lie unsealed; the operator must see to it.",
    ConfigBroken "config_broken" 503 "A file of the tenant's configuration is broken; the server's log names its line.",
    Busy "busy" 503 "A queue of the server is full; try again shortly.",
    Timeout "timeout" 504 "The request took longer than is allowed.",
    UpstreamTimeout "upstream_timeout" 504 "The service or program behind the endpoint took longer than is allowed.",
}

/// A refusal or a failure, as a caller may see it.
///
/// `message` is for people and never holds SQL, paths or secrets; `source` is for the log alone.
#[derive(Debug)]
pub struct Error {
    /// The stable word.
    pub reason: Reason,
    /// What went wrong and what to do next, without the request id.
    pub message: String,
    /// The field of the request that is meant, as a path such as `filter.and[1].op`.
    pub field: Option<String>,
    /// Seconds after which a repeat makes sense.
    pub retry_after: Option<u64>,
    /// What the log shall know.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// What the caller needs to go on, where a log in has one more step.
    pub ticket: Option<Box<Ticket>>,
    /// The toolkit endpoint that failed, as `toolkit/path`.
    pub endpoint: Option<Box<str>>,
}

/// What stands for the first step of a log in, to be sent with the second.
#[derive(Clone)]
pub struct Ticket {
    /// The ticket itself, a secret.
    pub text: String,
    /// Seconds for which it is good.
    pub expires_in: u64,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// What the audit log calls an outcome: `ok`, or the word of the reason.
pub fn outcome_word<T>(outcome: &Result<T>) -> &'static str {
    outcome.as_ref().err().map_or("ok", |error| error.reason.word())
}

impl Error {
    /// An error with its reason and a message for people.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            field: None,
            retry_after: None,
            source: None,
            ticket: None,
            endpoint: None,
        }
    }

    /// An error whose message is the meaning of its reason.
    pub fn plain(reason: Reason) -> Self {
        Self::new(reason, reason.meaning())
    }

    /// A failure of the server: the caller learns nothing, the log everything.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..Self::new(Reason::Internal, "The server failed to answer") }
    }

    /// Names the field of the request that is meant. A field that was named already is kept: it is the nearer one.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field.get_or_insert_with(|| field.into());
        self
    }

    /// Adds what the log shall know.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds what the caller needs for the next step.
    #[must_use]
    pub fn with_ticket(mut self, ticket: Ticket) -> Self {
        self.ticket = Some(Box::new(ticket));
        self
    }

    /// Names the toolkit endpoint that failed.
    #[must_use]
    pub fn of_endpoint(mut self, endpoint: impl Into<Box<str>>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Says when a repeat makes sense, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(source) = &self.source {
            write!(f, " ({source})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::Reason;
    use std::collections::HashSet;

    #[test]
    fn words_are_unique_snake_case_and_go_with_an_error_status() {
        let mut seen = HashSet::new();
        for reason in Reason::ALL {
            assert!(seen.insert(reason.word()), "{} is there twice", reason.word());
            assert!(reason.word().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!((400..600).contains(&reason.status()));
            assert!(reason.meaning().ends_with('.'));
        }
    }
}
