//! The list of tenants by pages, however many there are.

use std::sync::Arc;

use kernel::{Result, TenantStatus};
use sea_query::{Alias, Expr, ExprTrait, Func, LikeExpr, Query};

use super::{
    TenantRecord, Tenants,
    tables::{COLUMNS, TENANTS},
};
use crate::paging::{self, Found, KeyKind, Page, Sort};

/// What a list of tenants can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantSort {
    /// 1 for the first tenant, 2, 3 …
    Number,
    /// The name.
    Name,
    /// The domain; tenants without one count as if it were empty.
    Domain,
    /// When it was made.
    CreatedAt,
}

impl Sort for TenantSort {
    const ALL: &'static [(&'static str, Self)] =
        &[("number", Self::Number), ("name", Self::Name), ("domain", Self::Domain), ("created_at", Self::CreatedAt)];

    fn kind(self) -> KeyKind {
        match self {
            Self::Number => KeyKind::Number,
            Self::Name | Self::Domain => KeyKind::Text,
            Self::CreatedAt => KeyKind::Moment,
        }
    }
}

/// Which tenants a list has.
#[derive(Debug, Clone, Default)]
pub struct TenantFilter {
    /// A part of the name or the domain.
    pub text: Option<String>,
    /// Only those that answer, or only those that do not.
    pub status: Option<TenantStatus>,
}

impl Tenants {
    /// One page of the tenants, those excepted that are being deleted.
    pub async fn page(&self, filter: &TenantFilter, page: &Page<TenantSort>) -> Result<Found<Arc<TenantRecord>>> {
        let database = self.control();
        let column = |name: &'static str| Expr::col(Alias::new(name));
        let key = match page.sort {
            TenantSort::Number => column("number"),
            TenantSort::CreatedAt => column("created_at"),
            TenantSort::Name => paging::by_code_points(database, column("name")),
            TenantSort::Domain => {
                paging::by_code_points(database, Func::coalesce([column("domain"), Expr::val("")]).into())
            }
        };
        let mut select = Query::select();
        select.columns(COLUMNS.map(Alias::new)).expr(key.clone()).from(database.ddl().table(TENANTS));
        select.and_where(column("status").ne("deleting"));
        if let Some(status) = filter.status {
            let active = column("status").eq("active");
            select.and_where(if status == TenantStatus::Active { active } else { active.not() });
        }
        if let Some(text) = &filter.text {
            let like = || LikeExpr::new(paging::containing(&text.to_lowercase())).escape('\\');
            select.and_where(column("name").like(like()).or(column("domain").like(like())));
        }
        paging::apply(&mut select, page, &key, &column("number"));
        let rows = database.read(&select).await?;
        let rows = rows.iter().map(|row| {
            let record = TenantRecord::from_row(row, &self.data)?;
            let number = record.number;
            Ok((Arc::new(record), paging::key(row, COLUMNS.len(), page.sort.kind())?, number))
        });
        Ok(page.found(rows.collect::<crate::Result<_>>()?))
    }
}
