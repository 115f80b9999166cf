//! The toolkits of a tenant as its administrators see them, and who has which place.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use kernel::{Error, Principal, Reason, Result, Tenant, WriteContext, time::rfc3339};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Service,
    checking::{MOST_NAME, is_name},
    places::Place,
    reading::nearest,
    tables::{
        associations::{self, CoreGroup},
        schedules,
    },
    terms::Terms,
    toolkit::Toolkit,
};

/// A toolkit.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToolkitShown {
    /// Its name.
    #[schema(example = "lending")]
    pub name: String,
    /// `application` or `library`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether it is in force.
    pub enabled: bool,
    /// What it is for.
    pub description: Option<String>,
    /// The tables that it is about.
    pub tables: Vec<String>,
    /// Its groups with their rights.
    pub groups: Vec<GroupShown>,
    /// Which groups of the tenant are in which of them.
    pub associations: Vec<AssociationShown>,
    /// Rights by power, for callers without any other place.
    pub fallbacks: Vec<GroupShown>,
    /// What can be called.
    pub endpoints: Vec<EndpointShown>,
    /// What runs by itself.
    pub schedules: Vec<ScheduleShown>,
}

/// A group of a toolkit.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupShown {
    /// Its name.
    pub name: String,
    /// Table rules.
    pub permissions: Vec<String>,
    /// Column rules.
    pub column_rules: Vec<String>,
    /// Paths of endpoints.
    pub endpoint_permissions: Vec<String>,
}

/// A group of the tenant and its place in a toolkit.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssociationShown {
    /// The group of the tenant.
    pub group: String,
    /// The group of the toolkit.
    pub toolkit_group: String,
    /// `database` where it was set here, `file` where the toolkit's file says so.
    pub source: &'static str,
}

/// What is left to a group of the tenant that was taken out of a toolkit.
#[derive(Debug, Serialize, ToSchema)]
pub struct Remaining {
    /// The group of the tenant.
    pub group: String,
    /// The place that its users have from now on, by the toolkit's file or by their power; null where they have none.
    pub place: Option<String>,
}

/// An endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointShown {
    /// The path below the server's address.
    #[schema(example = "/tk/app/lending/borrow")]
    pub path: String,
    /// The methods.
    pub methods: Vec<&'static str>,
    /// `internal`, `http` or `executable`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it is for.
    pub description: Option<String>,
}

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleShown {
    /// Its name.
    pub name: String,
    /// When it runs.
    #[schema(example = "0 6 * * * UTC")]
    pub rhythm: String,
    /// When it runs next, RFC 3339 in UTC; null until it was written down.
    pub next_run: Option<String>,
    /// When it ran last.
    pub last_run: Option<String>,
    /// `ok`, or the reason of its failure.
    pub last_outcome: Option<String>,
}

/// A file that could not be taken into force.
#[derive(Debug, Serialize, ToSchema)]
pub struct BrokenShown {
    /// The name of the file without its ending.
    pub toolkit: String,
    /// Its mistakes with lines and keys.
    pub mistakes: Vec<String>,
}

/// The toolkits of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToolkitsShown {
    /// Those without mistakes.
    pub toolkits: Vec<ToolkitShown>,
    /// Those with mistakes, which are off.
    pub broken: Vec<BrokenShown>,
}

/// Who changes associations.
#[derive(Debug, Clone, Copy)]
pub struct Steward<'a> {
    /// The caller of a request; none for the operator on the command line.
    pub caller: Option<&'a Arc<Principal>>,
    /// Where the caller is.
    pub client: Option<IpAddr>,
    /// Why it is written.
    pub context: &'a WriteContext,
}

impl Service {
    /// The toolkits of a tenant as they are in force in this process.
    pub async fn list(&self, tenant: &Tenant) -> Result<ToolkitsShown> {
        let terms = self.registry.terms(tenant).await?;
        let open = self.registry.tenants.open(tenant).await?;
        let cores = associations::core_groups(&open.system).await?;
        let stored = schedules::of(self.registry.tenants.control(), tenant.id).await?;
        let toolkits = terms.files.toolkits.values().map(|toolkit| shown(&terms, toolkit, &cores, &stored)).collect();
        let broken = terms.files.broken.iter().map(|stem| {
            let file = format!("{}/{stem}.toml", crate::FOLDER);
            let mistakes = terms.files.mistakes.iter().filter(|mistake| mistake.file == file);
            BrokenShown { toolkit: stem.clone(), mistakes: mistakes.map(ToString::to_string).collect() }
        });
        Ok(ToolkitsShown { toolkits, broken: broken.collect() })
    }

    /// Puts the users of a group of the tenant, by its name or number, into a group of a toolkit. Known in this process at
    /// once, in others within five seconds.
    ///
    /// Errors: 404 `toolkit_unknown`, `not_found`; 400 `field_invalid`; 403 `power_too_low` where the group is mightier
    /// than the caller, or where a caller of less than power 100 does not have that place.
    pub async fn associate(
        &self,
        tenant: &Tenant,
        steward: &Steward<'_>,
        toolkit: &str,
        group: &str,
        toolkit_group: &str,
    ) -> Result<AssociationShown> {
        let outcome = self.try_associate(tenant, steward, toolkit, group, toolkit_group).await;
        audit(tenant, steward, "toolkit-associate", toolkit, &outcome);
        outcome
    }

    async fn try_associate(
        &self,
        tenant: &Tenant,
        steward: &Steward<'_>,
        toolkit: &str,
        group: &str,
        toolkit_group: &str,
    ) -> Result<AssociationShown> {
        let terms = self.registry.terms(tenant).await?;
        let known = terms.files.toolkits.get(toolkit).ok_or_else(|| Error::plain(Reason::ToolkitUnknown))?;
        let invalid = |message: String| Error::new(Reason::FieldInvalid, message).at("toolkit_group");
        if toolkit_group.len() > MOST_NAME {
            return Err(invalid(format!("A name has at most {MOST_NAME} characters")));
        }
        match terms.stored.groups_of(known) {
            Some(groups) if !groups.contains_key(toolkit_group) => {
                let names: Vec<_> = groups.keys().map(String::as_str).collect();
                return Err(invalid(format!("The toolkit has no such group; {}", nearest(toolkit_group, &names))));
            }
            None if !is_name(toolkit_group) => return Err(invalid("This is no name of a group".to_owned())),
            _ => {}
        }
        let core = self.core_group(tenant, steward, group).await?;
        if let Some(caller) = steward.caller.filter(|caller| caller.group.power < 100) {
            let own = terms.place(known, caller).is_some_and(|place| place.name == toolkit_group);
            if !own {
                let message = "Below a power of 100 only the own place in a toolkit can be given";
                return Err(Error::new(Reason::PowerTooLow, message).at("toolkit_group"));
            }
        }
        let open = self.registry.tenants.open(tenant).await?;
        let (name, given) = (toolkit.to_owned(), Some(toolkit_group.to_owned()));
        associations::set(&open.system, steward.context, core.id, name, given).await?;
        self.registry.refresh(tenant).await?;
        Ok(AssociationShown { group: core.name, toolkit_group: toolkit_group.to_owned(), source: "database" })
    }

    /// Takes back that the users of a group of the tenant were put into a group of a toolkit. What its file and their
    /// power give is left to them.
    ///
    /// Errors: 404 where there is no such group or it was not associated; 403 `power_too_low` where the group is mightier
    /// than the caller, or where a caller of less than power 100 does not have the place that is left.
    pub async fn dissociate(
        &self,
        tenant: &Tenant,
        steward: &Steward<'_>,
        toolkit: &str,
        group: &str,
    ) -> Result<Remaining> {
        let outcome = self.try_dissociate(tenant, steward, toolkit, group).await;
        audit(tenant, steward, "toolkit-dissociate", toolkit, &outcome);
        outcome
    }

    async fn try_dissociate(
        &self,
        tenant: &Tenant,
        steward: &Steward<'_>,
        toolkit: &str,
        group: &str,
    ) -> Result<Remaining> {
        let core = self.core_group(tenant, steward, group).await?;
        let terms = self.registry.terms(tenant).await?;
        let known = terms.files.toolkits.get(toolkit);
        let place = known.and_then(|known| {
            let named = known.file.associations.get(&core.name).map(String::as_str);
            terms.stored.given(known, named, core.power)
        });
        let open = self.registry.tenants.open(tenant).await?;
        let missing = || Error::new(Reason::NotFound, "The group is not associated with this toolkit");
        // Its file may be gone by now, but a name that no toolkit can have was never associated.
        if !is_name(toolkit) {
            return Err(missing());
        }
        if let Some(caller) = steward.caller.filter(|caller| caller.group.power < 100) {
            let own = known.and_then(|known| terms.place(known, caller));
            let shares = place.as_ref().is_none_or(|place| own.is_some_and(|own| own.name == place.name));
            // What a file with mistakes gives shows when it is mended.
            if !shares || terms.files.broken.iter().any(|broken| broken == toolkit) {
                let message = "Below a power of 100 only the own place in a toolkit can be left to others";
                return Err(Error::new(Reason::PowerTooLow, message));
            }
        }
        if !associations::set(&open.system, steward.context, core.id, toolkit.to_owned(), None).await? {
            return Err(missing());
        }
        self.registry.refresh(tenant).await?;
        let place = place.filter(|_| known.is_some_and(|known| known.file.enabled));
        Ok(Remaining { group: core.name, place: place.map(|place| place.name.clone()) })
    }

    /// A group of the tenant that is not beyond whoever asks.
    async fn core_group(&self, tenant: &Tenant, steward: &Steward<'_>, group: &str) -> Result<CoreGroup> {
        let open = self.registry.tenants.open(tenant).await?;
        let number = group.parse::<i64>().ok();
        let cores = associations::core_groups(&open.system).await?;
        let found = cores.into_iter().find(|core| core.name == group || Some(core.id) == number);
        let core = found.ok_or_else(|| Error::new(Reason::NotFound, "There is no such group"))?;
        if steward.caller.is_some_and(|caller| caller.group.power < core.power) {
            let message = format!("The group {:?} has more power than your own", core.name);
            return Err(Error::new(Reason::PowerTooLow, message));
        }
        Ok(core)
    }
}

fn audit<T>(tenant: &Tenant, steward: &Steward<'_>, action: &'static str, toolkit: &str, outcome: &Result<T>) {
    tracing::info!(
        target: "audit", action, outcome = kernel::error::outcome_word(outcome),
        tenant = tenant.name, user = steward.context.user, toolkit = is_name(toolkit).then_some(toolkit),
        client = steward.client.map(tracing::field::display),
        request_id = steward.context.request.map(tracing::field::display),
    );
}

fn shown(terms: &Terms, toolkit: &Toolkit, cores: &[CoreGroup], stored: &[schedules::Stored]) -> ToolkitShown {
    let file = &toolkit.file;
    let groups = terms.stored.groups_of(toolkit);
    let association = |core: &CoreGroup| {
        let there = terms.stored.associations.contains_key(&(file.name.clone(), core.id));
        Some(AssociationShown {
            group: core.name.clone(),
            toolkit_group: terms.stored.associated(toolkit, core.id, &core.name)?.to_owned(),
            source: if there { "database" } else { "file" },
        })
    };
    ToolkitShown {
        name: file.name.clone(),
        kind: file.kind.word(),
        enabled: file.enabled,
        description: file.description.clone(),
        tables: file.tables.clone(),
        groups: groups.map(all).unwrap_or_default(),
        associations: cores.iter().filter_map(association).collect(),
        fallbacks: all(&toolkit.fallbacks),
        endpoints: endpoints(toolkit),
        schedules: toolkit
            .schedules
            .iter()
            .map(|schedule| {
                let key = (&file.name, &schedule.name);
                let row = stored.iter().find(|row| (&row.key.toolkit, &row.key.name) == key);
                ScheduleShown {
                    name: schedule.name.clone(),
                    rhythm: schedule.rhythm.text().to_owned(),
                    next_run: row.map(|row| rfc3339(row.next_run)),
                    last_run: row.and_then(|row| row.last_run).map(rfc3339),
                    last_outcome: row.and_then(|row| row.last_outcome.clone()),
                }
            })
            .collect(),
    }
}

fn all<K>(places: &BTreeMap<K, Arc<Place>>) -> Vec<GroupShown> {
    let group = |place: &Arc<Place>| GroupShown {
        name: place.name.clone(),
        permissions: place.permissions.clone(),
        column_rules: place.column_rules.clone(),
        endpoint_permissions: place.endpoint_permissions.clone(),
    };
    places.values().map(group).collect()
}

fn endpoints(toolkit: &Toolkit) -> Vec<EndpointShown> {
    let endpoint = |endpoint: &Arc<crate::toolkit::Endpoint>| EndpointShown {
        path: format!("{}{}/{}", toolkit.file.kind.prefix(), toolkit.file.name, endpoint.pattern.text),
        methods: endpoint.methods.iter().map(|method| method.word()).collect(),
        kind: endpoint.file.kind.word(),
        description: endpoint.file.description.clone(),
    };
    toolkit.endpoints.iter().map(endpoint).collect()
}
