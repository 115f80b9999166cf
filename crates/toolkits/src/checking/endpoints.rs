//! Endpoints: their paths, what they let in, and what answers.

use std::sync::Arc;

use upstream::{HttpUpstream, ProgramUpstream};

use super::Draft;
use crate::{
    file::{self, EndpointKind, ResponseFormat, RunsAs},
    filter::PATH,
    matching::{Pattern, REST},
    reading::nearest,
    toolkit::{Endpoint, Work},
};

impl Draft<'_> {
    pub(super) fn endpoints(&mut self) -> Vec<Arc<Endpoint>> {
        let mut read: Vec<Arc<Endpoint>> = Vec::new();
        for endpoint in self.file.endpoints.clone() {
            let key = format!("endpoints.{}", endpoint.number);
            let pattern = match Pattern::parse(&endpoint.path) {
                Ok(pattern) => pattern,
                Err(problem) => {
                    self.complaints.add(&format!("{key}.path"), problem);
                    continue;
                }
            };
            self.methods(&key, &endpoint, &pattern, &read);
            self.filter(&key, &endpoint.client_filter);
            self.format(&key, &endpoint);
            let db_context = self.db_context(&key, &endpoint);
            let work = self.work(&key, &endpoint, &pattern);
            if let (Some(db_context), Some(work)) = (db_context, work) {
                let methods = endpoint.methods.clone();
                read.push(Arc::new(Endpoint { pattern, methods, file: endpoint, db_context, work }));
            }
        }
        read
    }

    fn methods(&mut self, key: &str, endpoint: &file::Endpoint, pattern: &Pattern, read: &[Arc<Endpoint>]) {
        let at = format!("{key}.methods");
        if endpoint.methods.is_empty() {
            self.complaints.add(&at, "write [\"GET\"], [\"POST\"] or both");
        }
        for (index, method) in endpoint.methods.iter().enumerate() {
            if endpoint.methods[..index].contains(method) {
                self.complaints.add(&at, format!("{} is there twice", method.word()));
            }
            let same =
                |other: &&Arc<Endpoint>| other.pattern.shape() == pattern.shape() && other.methods.contains(method);
            if let Some(other) = read.iter().find(same) {
                let problem = format!("endpoints.{} answers {} at this path already", other.file.number, method.word());
                self.complaints.add(&format!("{key}.path"), problem);
            }
        }
    }

    fn filter(&mut self, key: &str, filter: &file::ClientFilter) {
        let named = filter.required_fields.iter().map(|name| ("required_fields", name));
        for (list, name) in named.chain(filter.types.keys().map(|name| ("types", name))) {
            let at = format!("{key}.client_filter.{list}");
            if name == PATH {
                self.complaints.add(&at, "what comes out of the path is not sent by the caller; leave it out");
            } else if filter.allowed_fields.as_ref().is_some_and(|allowed| !allowed.contains(name)) {
                self.complaints.add(&at, format!("{name} is not among allowed_fields; add it there"));
            }
        }
    }

    fn format(&mut self, key: &str, endpoint: &file::Endpoint) {
        let passthrough = endpoint.response_format == ResponseFormat::Passthrough;
        if passthrough && endpoint.kind != EndpointKind::Http {
            self.complaints.add(
                &format!("{key}.response_format"),
                "only the answers of http endpoints can be passed on; leave it out",
            );
        }
        if endpoint.overwrite_wrapping && (passthrough || endpoint.kind == EndpointKind::Internal) {
            let problem = "it is for json answers of services and programs; leave it out";
            self.complaints.add(&format!("{key}.overwrite_wrapping"), problem);
        }
        let strays = [
            ("rights", endpoint.rights != RunsAs::Caller),
            ("pseudo_querys", !endpoint.pseudo_querys.is_empty()),
            ("answer", endpoint.answer.is_some()),
        ];
        for (name, there) in strays {
            if there && endpoint.kind != EndpointKind::Internal {
                let problem = format!("it is for internal endpoints, not for {}; leave it out", endpoint.kind.word());
                self.complaints.add(&format!("{key}.{name}"), problem);
            }
        }
    }

    fn db_context(&mut self, key: &str, endpoint: &file::Endpoint) -> Option<Vec<Arc<crate::query::PreparedQuery>>> {
        let key = format!("{key}.inject_db_context");
        let steps = self.steps(&key, &endpoint.inject_db_context, false)?;
        if let Some(index) = steps.iter().position(|step| !step.action.reads()) {
            let problem = format!("{} writes; only select and count can be put into the context", steps[index].name);
            self.complaints.add(&format!("{key}[{index}]"), problem);
            return None;
        }
        Some(steps)
    }

    fn work(&mut self, key: &str, endpoint: &file::Endpoint, pattern: &Pattern) -> Option<Work> {
        match endpoint.kind {
            EndpointKind::Internal => {
                let at = format!("{key}.pseudo_querys");
                if endpoint.pseudo_querys.is_empty() {
                    self.complaints.add(&at, "an internal endpoint asks at least one query; write their names");
                    return None;
                }
                let steps = self.steps(&at, &endpoint.pseudo_querys, endpoint.rights == RunsAs::Toolkit)?;
                let answer = endpoint.answer.as_ref().map(|name| steps.iter().position(|step| step.name == *name));
                if let (Some(None), Some(name)) = (answer, &endpoint.answer) {
                    let known: Vec<_> = steps.iter().map(|step| &*step.name).collect();
                    let problem = format!("{name} is not among its pseudo_querys; {}", nearest(name, &known));
                    self.complaints.add(&format!("{key}.answer"), problem);
                }
                let answer = answer.flatten();
                Some(Work::Internal { steps, answer })
            }
            EndpointKind::Http => self.service(key, endpoint, pattern),
            EndpointKind::Executable => self.program(key, endpoint),
        }
    }

    /// The endpoint in force at the same place, whose counts of calls and failures shall go on.
    fn before(&self, endpoint: &file::Endpoint) -> Option<&Endpoint> {
        let method = *endpoint.methods.first()?;
        self.before?.endpoint_at(&endpoint.path, method).map(|found| &**found)
    }

    fn service(&mut self, key: &str, endpoint: &file::Endpoint, pattern: &Pattern) -> Option<Work> {
        let config = Box::new(endpoint.http.clone()?);
        if let Some(Endpoint { work: Work::Http { config: known, service }, .. }) = self.before(endpoint)
            && *known == config
            // What the file of a header holds is read with the service.
            && !config.headers.values().any(|header| matches!(header, upstream::Header::File(_)))
        {
            let service = Arc::clone(service);
            return Some(Work::Http { config, service });
        }
        let service = match HttpUpstream::new(&config, self.checker.folder, self.checker.clients) {
            Ok(service) => service,
            Err((field, problem)) => {
                self.complaints.add(&format!("{key}.{field}"), problem);
                return None;
            }
        };
        // What is read before may be a condition; as a mere part of the context nobody would ever see it.
        let expects = |name: &String| self.file.pseudo_querys.get(name).is_some_and(|query| query.expect.is_some());
        let injected = &endpoint.inject_db_context;
        if !service.has_body() && !injected.is_empty() && !injected.iter().any(expects) {
            let problem = "a service that is called with GET or HEAD gets no context; write method = \"POST\", or leave \
                           this out";
            self.complaints.add(&format!("{key}.inject_db_context"), problem);
        }
        let names: Vec<_> = pattern.names().collect();
        if let Some(missing) = service.names().find(|name| !names.contains(name)) {
            let spelled = if missing == REST { "*".to_owned() } else { format!("{{{missing}}}") };
            let problem = format!("the address needs {{{missing}}}, but the path has no {spelled}");
            self.complaints.add(&format!("{key}.url"), problem);
            return None;
        }
        Some(Work::Http { config, service: Arc::new(service) })
    }

    fn program(&mut self, key: &str, endpoint: &file::Endpoint) -> Option<Work> {
        let config = Box::new(endpoint.program.clone()?);
        if let Some(Endpoint { work: Work::Program { config: known, program }, .. }) = self.before(endpoint)
            && *known == config
        {
            let program = Arc::clone(program);
            return Some(Work::Program { config, program });
        }
        match ProgramUpstream::new(&config) {
            Ok(program) => Some(Work::Program { config, program: Arc::new(program) }),
            Err((field, problem)) => {
                self.complaints.add(&format!("{key}.{field}"), problem);
                None
            }
        }
    }
}
