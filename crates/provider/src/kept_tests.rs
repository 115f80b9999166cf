use std::{
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    time::Duration,
};

use super::Kept;
use crate::error::{Result, unavailable};

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(400);

/// A document that counts how often it was fetched, and takes a moment each time.
#[derive(Default)]
struct Source(AtomicU32);

impl Source {
    async fn fetch(&self) -> Result<u32> {
        let number = self.0.fetch_add(1, SeqCst) + 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(number)
    }
}

#[tokio::test]
async fn all_who_wait_share_one_fetch() {
    let (kept, source) = (Kept::lasting(LONG, LONG), Source::default());
    let all = futures_util::future::join_all((0..100).map(|_| kept.get(source.fetch()))).await;
    assert!(all.into_iter().all(|document| *document.unwrap() == 1));
}

#[tokio::test]
async fn a_document_is_believed_for_a_while() {
    let (kept, source) = (Kept::lasting(SHORT, LONG), Source::default());
    assert_eq!(*kept.get(source.fetch()).await.unwrap(), 1);
    assert_eq!(*kept.get(source.fetch()).await.unwrap(), 1);
    tokio::time::sleep(SHORT + Duration::from_millis(50)).await;
    assert_eq!(*kept.get(source.fetch()).await.unwrap(), 2);
}

#[tokio::test]
async fn it_is_renewed_at_most_so_often_and_once_for_all() {
    let (kept, source) = (Kept::lasting(LONG, SHORT), Source::default());
    kept.get(source.fetch()).await.unwrap();
    assert_eq!(*kept.renewed(source.fetch()).await.unwrap().unwrap(), 1);
    tokio::time::sleep(SHORT + Duration::from_millis(50)).await;
    let all = futures_util::future::join_all((0..20).map(|_| kept.renewed(source.fetch()))).await;
    assert!(all.into_iter().all(|document| *document.unwrap().unwrap() == 2));
    assert_eq!(*kept.get(source.fetch()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_renewal_that_fails_counts_and_leaves_the_old_document() {
    let (kept, source) = (Kept::lasting(LONG, SHORT), Source::default());
    kept.get(source.fetch()).await.unwrap();
    tokio::time::sleep(SHORT + Duration::from_millis(50)).await;
    let failed = kept.renewed(async { Err(unavailable("gone")) }).await;
    assert_eq!(failed.unwrap_err(), unavailable("gone"));
    assert_eq!(*kept.renewed(source.fetch()).await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn a_fetch_that_fails_is_tried_again() {
    let (kept, source) = (Kept::lasting(LONG, LONG), Source::default());
    assert!(kept.get(async { Err(unavailable("gone")) }).await.is_err());
    assert_eq!(*kept.get(source.fetch()).await.unwrap(), 1);
}
