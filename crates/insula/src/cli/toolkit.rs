//! `insula toolkit …`.

use std::{io::Write as _, path::PathBuf, sync::Arc};

use clap::{Args, Subcommand, ValueEnum};
use kernel::{Authenticated, Credential, Group, Principal, WriteContext};
use serde::Serialize;

use toolkits::{Mistake, Steward, ToolkitShown, file::Method};
use uuid::Uuid;

use super::{Output, Which, output::or_dash};
use crate::{
    Installation,
    failure::{Failure, Result, io},
};

/// Check, list and call the toolkits of a tenant, and say who has which place in them.
#[derive(Subcommand)]
pub(super) enum Toolkit {
    /// Check files without putting them into force; tells every mistake with file and line
    #[command(after_help = "Examples:\n  insula toolkit check\n  insula toolkit check lending.toml\n  \
        insula toolkit check --tenant shop")]
    Check(Check),
    /// List the toolkits of a tenant with their places, endpoints and schedules
    #[command(after_help = "Examples:\n  insula toolkit list\n  insula toolkit list --json")]
    List(List),
    /// Call an endpoint within this process, as a user would
    #[command(after_help = "Examples:\n  insula toolkit call lending borrow --user uma --payload '{\"item\": 3}'\n  \
        insula toolkit call lending items --method get")]
    Call(Call),
    /// Put the users of a group into a group of a toolkit
    #[command(after_help = "Example:\n  insula toolkit associate lending users borrowers")]
    Associate(Associate),
    /// Take the users of a group out of a toolkit
    #[command(after_help = "Example:\n  insula toolkit dissociate lending users")]
    Dissociate(Dissociate),
}

#[derive(Args)]
pub(super) struct Check {
    /// The files; all of the tenant where there is none
    files: Vec<PathBuf>,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Call {
    /// The toolkit
    toolkit: String,
    /// The path of the endpoint below the toolkit's
    path: String,
    /// What is sent
    #[arg(long, value_name = "JSON", default_value = "{}")]
    payload: String,
    /// Who calls; nobody of the mightiest group where absent
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The method
    #[arg(long, default_value = "post")]
    method: MethodName,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Associate {
    /// The toolkit
    toolkit: String,
    /// The group of the tenant
    group: String,
    /// The group of the toolkit
    toolkit_group: String,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Dissociate {
    /// The toolkit
    toolkit: String,
    /// The group of the tenant
    group: String,
    #[command(flatten)]
    which: Which,
}

/// How an endpoint is called.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum MethodName {
    Get,
    Post,
}

impl From<MethodName> for Method {
    fn from(method: MethodName) -> Self {
        match method {
            MethodName::Get => Self::Get,
            MethodName::Post => Self::Post,
        }
    }
}

const OPERATOR: Steward<'static> = Steward { caller: None, client: None, context: &WriteContext::system() };

impl Toolkit {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        match self {
            Self::Check(check) => {
                let record = installation.record(check.which.tenant.as_deref()).await?;
                tell(&installation.features.toolkits.check(&record.tenant).await?, output)
            }
            Self::List(list) => list.run(installation, output).await,
            Self::Call(call) => call.run(installation).await,
            Self::Associate(command) => command.run(installation, output).await,
            Self::Dissociate(command) => command.run(installation, output).await,
        }
    }
}

impl Check {
    /// Whether it is about files by name, and not about those of a tenant.
    pub(super) fn names_files(&self) -> bool {
        !self.files.is_empty()
    }

    pub(super) fn run_on_files(&self, output: Output) -> Result<()> {
        tell(&self.of_files()?, output)
    }

    fn of_files(&self) -> Result<Vec<Mistake>> {
        let mut mistakes = Vec::new();
        for path in &self.files {
            let text = std::fs::read_to_string(path).map_err(io(path.display()))?;
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let folder = path.parent().map(PathBuf::from).unwrap_or_default();
            let found = toolkits::check(&query::rules::Grammar, stem, &text, &folder);
            // People gave a path, which tells more than the name within a tenant's folder.
            mistakes.extend(found.into_iter().map(|mistake| Mistake { file: path.display().to_string(), ..mistake }));
        }
        Ok(mistakes)
    }
}

/// Tells mistakes; that there are some is a failure with the exit code of wrong configuration.
fn tell(mistakes: &[Mistake], output: Output) -> Result<()> {
    #[derive(Serialize)]
    struct Shown<'a> {
        file: &'a str,
        line: usize,
        key: &'a str,
        problem: &'a str,
    }
    let shown: Vec<_> =
        mistakes.iter().map(|Mistake { file, line, key, problem }| Shown { file, line: *line, key, problem }).collect();
    output.print(&shown, || {
        if mistakes.is_empty() {
            return "All toolkits are in order.".to_owned();
        }
        mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    });
    match mistakes.len() {
        0 => Ok(()),
        1 => Err(Failure::Usage("there is a mistake".to_owned())),
        many => Err(Failure::Usage(format!("there are {many} mistakes"))),
    }
}

impl List {
    async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let record = installation.record(self.which.tenant.as_deref()).await?;
        let shown = installation.features.toolkits.list(&record.tenant).await?;
        for broken in &shown.broken {
            for mistake in &broken.mistakes {
                let _ = writeln!(std::io::stderr().lock(), "{mistake}");
            }
        }
        output.list(&shown.toolkits, &["NAME", "TYPE", "STATE", "ENDPOINTS", "PLACES", "NEXT RUN"], |toolkit| {
            vec![
                toolkit.name.clone(),
                toolkit.kind.to_owned(),
                if toolkit.enabled { "on" } else { "off" }.to_owned(),
                toolkit.endpoints.len().to_string(),
                places(toolkit),
                or_dash(toolkit.schedules.iter().filter_map(|schedule| schedule.next_run.as_deref()).min()),
            ]
        });
        Ok(())
    }
}

fn places(toolkit: &ToolkitShown) -> String {
    let pair = |pair: &toolkits::AssociationShown| format!("{}:{}", pair.group, pair.toolkit_group);
    let pairs: Vec<_> = toolkit.associations.iter().map(pair).collect();
    or_dash(Some(&pairs.join(" ")))
}

impl Call {
    async fn run(self, installation: &Installation) -> Result<()> {
        let (record, open) = installation.open_tenant(self.which.tenant.as_deref()).await?;
        let payload = kernel::json::object(self.payload.as_bytes())
            .map_err(|error| Failure::Usage(format!("the payload is no JSON object: {error}")))?;
        let identity = &installation.features.identity;
        let principal = match &self.user {
            None => operator(identity.groups(&open).await?)?,
            Some(name) => {
                let found = identity.find_user(&open, name).await?;
                principal(found.ok_or_else(|| Failure::Missing(format!("there is no user {name:?}")))?)
            }
        };
        let caller = Authenticated { tenant: Arc::clone(&record.tenant), principal: Arc::new(principal) };
        let service = &installation.features.toolkits;
        let path = self.path.trim_matches('/');
        let (_, body) = service.call_here(&caller, self.method.into(), (&self.toolkit, path), payload).await?;
        let mut out = std::io::stdout().lock();
        out.write_all(&body)
            .and_then(|()| if body.ends_with(b"}") { writeln!(out) } else { Ok(()) })
            .map_err(io("standard output"))
    }
}

/// A user as one who has logged in.
fn principal(user: identity::User) -> Principal {
    Principal {
        id: user.id,
        number: user.number,
        username: user.username,
        email: user.email,
        name: user.name,
        group: Arc::new(user.group),
        toolkit_overrides: user.toolkit_overrides,
        credential: Credential::Session(Uuid::nil()),
    }
}

/// Nobody, with the rights of the mightiest group.
fn operator(groups: Vec<Group>) -> Result<Principal> {
    let group = groups.into_iter().next_back();
    let group = group.ok_or_else(|| Failure::Missing("the tenant has no group".to_owned()))?;
    let name = "operator".to_owned();
    Ok(Principal {
        id: Uuid::nil(),
        number: 0,
        username: name.clone(),
        email: None,
        name,
        group: Arc::new(group),
        toolkit_overrides: Arc::default(),
        credential: Credential::Session(Uuid::nil()),
    })
}

impl Associate {
    async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let record = installation.record(self.which.tenant.as_deref()).await?;
        let service = &installation.features.toolkits;
        let made =
            service.associate(&record.tenant, &OPERATOR, &self.toolkit, &self.group, &self.toolkit_group).await?;
        output.print(&made, || {
            format!("Users of the group {} are {} in the toolkit {}.", made.group, made.toolkit_group, self.toolkit)
        });
        Ok(())
    }
}

impl Dissociate {
    async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let record = installation.record(self.which.tenant.as_deref()).await?;
        let service = &installation.features.toolkits;
        let remaining = service.dissociate(&record.tenant, &OPERATOR, &self.toolkit, &self.group).await?;
        let (group, toolkit) = (&remaining.group, &self.toolkit);
        let gone = serde_json::json!({ "dissociated": group, "toolkit": toolkit, "place": remaining.place });
        output.print(&gone, || match &remaining.place {
            Some(place) => format!("Users of the group {group} are {place} in the toolkit {toolkit}, by its file."),
            None => format!("The group {group} has no place in the toolkit {toolkit} any more."),
        });
        Ok(())
    }
}
