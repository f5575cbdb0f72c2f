//! What an account used: read, added up, and bounded.

use crate::store::{Store, StoreError};
use crate::types::{AccountId, Period, UsageBy, Used, UsedBy};

/// The most groups that are told at once.
pub const MOST_GROUPS: u32 = 1_000;

/// What an account used in a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumption {
    /// All of it.
    pub total: Used,
    /// Its parts; none if it was not told apart.
    pub groups: Vec<UsedBy>,
}

/// What an account used in this period, told apart if that is wanted. [`StoreError::TooManyGroups`] beyond
/// [`MOST_GROUPS`]. A function of the rows alone, because a command asks it without an engine.
pub async fn consumption(
    store: &dyn Store,
    account: &AccountId,
    period: Period,
    by: Option<UsageBy>,
) -> Result<Consumption, StoreError> {
    let mut groups = store.usage(account, period, by, MOST_GROUPS).await?;
    let total = groups
        .iter()
        .try_fold(Used::default(), |sum, group| sum.plus(group.used))
        .ok_or_else(|| StoreError::Backend("the charges of the period overflow".to_owned()))?;
    if by.is_none() {
        groups.clear();
    }
    Ok(Consumption { total, groups })
}
