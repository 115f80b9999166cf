//! The layer of the process's subscriber that turns events into entries.

use std::sync::Arc;

use tracing::{
    Event, Level, Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    filter::FilterFn,
    layer::Context,
    registry::LookupSpan,
};

use crate::{
    Spool,
    facts::{Facts, Said},
};

/// The target of events that are entries of the audit log.
const TARGET: &str = "audit";

/// The layer that keeps entries in a spool. Events are taken up to the level `debug`, which is that of writes of the data
/// API, and with `reads` up to `trace`, which is that of its reads: logs of the usual level have neither.
pub fn layer<S>(spool: Arc<Spool>, reads: bool) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let most = if reads { Level::TRACE } else { Level::DEBUG };
    let filter = FilterFn::new(move |metadata| is_ours(metadata, most)).with_max_level_hint(LevelFilter::from(most));
    AuditLayer { spool }.with_filter(filter)
}

/// Whether it is an entry, or the span of a request or of a command.
fn is_ours(metadata: &Metadata<'_>, most: Level) -> bool {
    if metadata.is_span() {
        return metadata.fields().field("method").is_some() && metadata.fields().field("route").is_some();
    }
    metadata.target() == TARGET && *metadata.level() <= most
}

struct AuditLayer {
    spool: Arc<Spool>,
}

impl<S> Layer<S> for AuditLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut facts = Facts::begin();
        attributes.record(&mut facts);
        span.extensions_mut().insert(facts);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(facts) = span.extensions_mut().get_mut::<Facts>() {
            values.record(facts);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let span = context.event_scope(event).and_then(|mut scope| scope.next());
        let line = match &span {
            Some(span) => said.finish(span.extensions().get::<Facts>()),
            None => said.finish(None),
        };
        self.spool.append(&line);
    }
}
