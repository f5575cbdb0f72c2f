//! The suite that every store passes, so that the engine need not know which one it has.
//!
//! A case is an async function over an empty store. [`run`] opens a new store for each.

mod accounts;
mod admit;
mod assets;
mod audit;
mod files;
pub(crate) mod fixtures;
mod history;
mod keys;
mod lost;
pub mod model;
mod outbox;
mod settle;
mod tasks;
mod usage;

use crate::store::Store;
use futures::future::BoxFuture;
use std::sync::Arc;

/// A case and its name.
type Case = (&'static str, fn(Arc<dyn Store>) -> BoxFuture<'static, ()>);

/// Names each case once.
macro_rules! cases {
    ($($module:ident: $($case:ident)+;)+) => {
        &[$($((
            concat!(stringify!($module), "::", stringify!($case)),
            |store| Box::pin($module::$case(store)),
        ),)+)+]
    };
}

const CASES: &[Case] = cases! {
    accounts:
        an_account_is_found_by_name_and_by_id
        a_name_is_taken_once
        accounts_are_listed_by_name_with_their_balances
        a_top_up_counts_once_for_each_reference
        a_balance_never_wraps
        the_generation_moves_with_accounts_and_keys;
    keys:
        a_key_is_found_by_its_secret_with_its_account
        keys_are_stored_all_or_none
        keys_are_listed_newest_first
        revoking_twice_keeps_the_first_time
        imported_secrets_are_told_apart;
    admit:
        a_task_reads_back_as_it_was_admitted
        a_refused_admission_leaves_nothing
        an_unlimited_account_pays_without_end
        a_credit_line_is_used_to_its_end
        a_key_spends_its_cap_and_no_more
        what_is_released_may_be_spent_again
        too_many_waiting_tasks_are_refused
        many_at_once_never_overdraw
        a_repeated_key_stands_for_the_first_task
        a_key_is_per_account_and_mode_and_expires;
    tasks:
        a_task_is_shown_to_its_account_alone
        the_oldest_of_a_key_are_claimed_first
        a_waiting_task_is_claimed_once
        a_claim_writes_the_intents_that_are_planned
        a_dead_workers_tasks_are_taken_over
        deaths_alone_are_counted_apart
        a_worker_that_shows_no_life_loses_its_tasks
        a_worker_that_shows_life_keeps_its_tasks
        attempts_are_written_as_intents
        every_write_checks_the_fence
        what_is_owed_an_answer_is_known_while_it_is_unfinished
        a_task_that_waits_for_its_inputs_reads_them_once_they_are_here
        a_task_whose_inputs_do_not_come_is_free
        what_waits_for_inputs_can_be_cancelled
        the_queue_is_counted_by_lane;
    settle:
        a_completed_task_pays_for_what_was_delivered
        a_text_is_kept_with_the_rates_of_its_acceptance
        a_failed_task_is_free
        a_task_is_settled_once
        more_than_the_hold_is_never_captured
        parts_end_one_by_one
        an_unknown_outcome_is_the_operators_loss
        a_waiting_task_is_cancelled
        tasks_that_wait_too_long_end_at_no_cost
        a_running_task_is_not_cancelled
        what_is_abandoned_is_free_and_tells_nobody
        cancel_and_claim_never_both_win;
    lost:
        a_late_image_is_kept_and_charged_to_nobody
        a_late_text_is_kept_and_charged_to_nobody
        a_lost_call_is_resolved_once_and_the_books_follow;
    history:
        the_history_of_an_account_is_listed_newest_first
        a_page_goes_on_where_the_last_one_ended_while_new_tasks_arrive
        filters_narrow_together
        a_rare_thing_is_looked_for_a_bounded_stretch_at_a_time
        what_the_operator_may_have_paid_for_nothing_is_listed;
    assets:
        a_result_is_found_by_its_name
        blobs_of_results_and_of_unfinished_inputs_are_needed
        the_blob_of_an_expired_result_is_given_up_once
        a_task_reads_no_result_that_has_expired
        a_strangers_asset_is_refused;
    files:
        a_file_is_found_by_its_account_until_it_expires
        files_are_listed_in_pages_both_ways
        an_account_keeps_so_many_files_and_bytes
        a_task_keeps_what_it_reads_and_a_deleted_file_is_not_read
        deleting_and_admitting_never_lose_a_blob;
    usage:
        what_was_used_is_what_the_ledger_captured
        more_groups_than_wanted_are_refused;
    outbox:
        every_end_that_somebody_asked_about_is_to_be_told
        what_is_due_is_claimed_once_and_counted_before_it_is_sent
        an_attempt_ends_once_and_is_remembered
        a_dead_senders_deliveries_are_sent_again_under_their_ids
        what_has_no_turn_within_its_window_is_given_up
        what_was_not_sent_was_no_attempt
        a_clock_that_was_set_forward_holds_back_nothing_new
        a_delivery_is_sent_again_by_hand
        deliveries_are_listed_newest_first
        two_secrets_sign_while_they_change;
    audit:
        an_empty_store_is_clean
        the_books_say_what_happened;
};

/// Runs every case on a store of its own.
pub async fn run(open: impl AsyncFn() -> Arc<dyn Store>) {
    for (name, case) in CASES {
        eprintln!("case {name}");
        case(open().await).await;
    }
}
