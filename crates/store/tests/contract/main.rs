//! One contract, two engines: every public operation of the store runs on SQLCipher and on a real PostgreSQL.
//!
//! A contract is an async function that takes a fresh [`Store`]; the macro below mounts it twice, as `sqlcipher::…` and
//! `postgres::…`. Add an operation, add a contract.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod api_keys;
mod apis;
mod backup;
mod changes;
mod clients;
mod console;
mod crash;
mod credentials;
mod engines;
mod file;
mod outbox;
mod password_resets;
mod races;
mod rekey;
mod reports;
mod roles;
mod rotations;
mod schema_twins;
mod server;
mod sessions;
mod signing_keys;
mod throttles;
mod users;

macro_rules! contracts {
    ($($module:ident { $($contract:ident),* $(,)? })*) => {
        mod sqlcipher {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $contract() {
                    let world = crate::engines::World::sqlcipher().await;
                    crate::$module::$contract(&world.store).await;
                })*
            })*
        }
        mod postgres {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $contract() {
                    let world = crate::engines::World::postgres().await;
                    crate::$module::$contract(&world.store).await;
                })*
            })*
        }
    };
}

contracts! {
    users {
        a_user_is_found_by_id_and_by_canonical_address,
        a_known_address_is_not_inserted_twice,
        an_unknown_role_leaves_no_user_behind,
        pages_follow_the_ids,
        a_change_touches_what_it_names,
        a_new_address_kills_reset_links_and_may_not_be_taken,
        blocking_ends_sessions_and_tells_the_nodes,
        deleting_takes_everything_along,
        a_rehash_is_a_compare_and_swap,
        a_new_password_ends_every_session,
        a_change_by_the_old_password_does_not_undo_a_reset,
        address_and_password_change_as_one_or_not_at_all,
        a_new_user_and_the_mail_are_one,
        text_is_compared_byte_for_byte,
    }
    roles {
        a_role_is_made_and_made_over,
        an_unknown_api_is_named,
        default_roles_are_sorted,
        permissions_of_several_roles_are_merged,
        a_deleted_role_is_nobodys,
        roles_of_a_user_are_replaced_or_left,
    }
    apis {
        an_api_is_made_and_made_over,
        a_lost_scope_is_taken_from_roles_and_clients,
        a_deleted_api_takes_its_grants_along,
    }
    clients {
        a_client_is_made_and_made_over,
        a_taken_name_is_refused,
        an_unknown_api_leaves_no_client_behind,
        clients_come_by_name,
        a_new_secret_replaces_the_old,
        a_change_without_a_secret_keeps_the_stored_one,
        disabling_and_deleting_end_sessions,
    }
    sessions {
        a_session_begins_with_its_refresh_token,
        nobody_and_the_blocked_get_none,
        a_login_does_not_overtake_a_change_of_password,
        a_session_ends_once,
        all_sessions_of_a_user_end,
        rotation_spends_the_old_token,
        a_spent_token_is_known_as_spent,
        expired_and_ended_families_do_not_rotate,
    }
    password_resets {
        only_the_newest_link_lives,
        a_link_is_spent_once_and_ends_sessions,
        a_link_dies_on_the_second,
        link_and_mail_are_one,
        nobody_has_no_link,
    }
    rotations {
        a_journal_begins_once,
        a_step_replaces_what_was_read,
        generations_only_grow_and_nodes_hear_of_them,
        another_credential_begins_anew_only_in_the_place_of_what_was_read,
        nodes_give_signs_of_life,
        a_journal_is_forgotten_with_its_nodes,
        one_of_sixteen_takes_a_step,
    }
    signing_keys {
        keys_come_oldest_first,
        a_taken_kid_is_refused,
        the_first_key_of_an_algorithm_is_made_once,
        keys_retire_and_go,
        the_first_seal_check_stays,
    }
    api_keys {
        a_key_is_found_by_digest,
        a_key_is_stored_once,
        a_key_is_bound_to_another_client,
        revoked_once_and_deleted_once,
        uses_add_up_and_never_go_back,
        keys_of_a_deleted_client_are_revoked,
    }
    throttles {
        the_limit_is_the_limit,
        a_window_that_is_over_begins_anew,
        clearing_empties_one_bucket,
        an_attempt_is_given_back,
        a_limit_of_zero_allows_nothing,
        a_clock_that_was_wrong_does_not_lock_for_ever,
        several_are_taken_up_to_the_first_that_is_empty,
    }
    outbox {
        due_mail_is_claimed_for_the_lease,
        failed_mail_waits_and_sent_mail_goes,
    }
    changes {
        numbers_grow_and_the_window_is_read_again,
        a_starting_node_learns_of_revocations,
        pruning_keeps_what_is_young,
        what_time_has_ended_is_pruned,
        a_commit_wakes_who_waits,
        an_older_revocation_does_not_replace_a_newer,
    }
    reports {
        a_report_is_kept_once_byte_for_byte,
        the_newest_of_each_environment_and_a_history_without_bytes,
        the_oldest_of_an_environment_go,
    }
    console {
        a_link_opens_once_and_looking_spends_nothing,
        a_link_and_a_session_end_on_the_second,
        a_session_ends_when_idle_at_its_end_and_by_logout,
        a_session_goes_with_its_user,
        one_of_sixteen_spends_a_link,
    }
    races {
        one_of_sixteen_redeems_a_reset_link,
        one_of_sixteen_rotates_a_refresh_token,
        exactly_the_limit_is_allowed,
        one_of_sixteen_signs_up,
        one_seal_check_wins,
        one_first_signing_key_wins,
        one_of_sixteen_claims_a_mail,
        one_reset_link_of_sixteen_lives,
        a_login_and_a_reset_do_not_both_win,
    }
}
