//! The sync rules against a simple model of a household: a server that keeps every version, devices that keep no base,
//! other users' edits, and people who settle conflicts. All randomness comes from a seed; a failure prints it,
//! `HOLDFAST_SEED=<seed>` runs that case alone, `HOLDFAST_TIMES=<n>` runs n times as many.
//!
//! Every rule was broken once, and noticed. What notices the rules of algorithms B that have a (!), written more simply:
//!
//! | written more simply | noticed by |
//! | --- | --- |
//! | an unclaimed path of a delta means "as agreed" | the simulation, and nearly every property |
//! | a MOVE agrees on all that is in the folder | the simulation, `acting` |
//! | a MOVE takes what died and came back for untouched | `acting` |
//! | an outdated token infers deletions | `an_old_laptop_does_not_bring_deletions_back` |
//! | the history is asked after the table (rule 2) | `an_old_laptop..`, `a_reinstalled_device..`, `table` |
//! | the history is asked after the kinds (rule 4) | `a_reinstalled_device_with_stale_files..` |
//! | going back to an earlier content is no edit | `a_change_on_a_device_that_is_up_to_date..`, `table` |
//! | it is an edit without the current token | `an_old_laptop_does_not_bring_deletions_back`, `table` |
//! | it is an edit whoever changed the file since | the simulation |
//! | S = B by value, whatever its seq | the simulation, `a_file_deleted_and_restored_meanwhile..`, `table` |
//! | a row that keep_local wrote infers a deletion | `what_keep_local_named_is_not_deleted..`, the simulation |
//! | no row "gone" after keep_local | `a_conflict_is_settled_as_the_person_chose` |
//! | keep_local is forgotten once the history knows the content | `table` |
//! | a small lost disk is let pass | `a_device_that_lost_its_disk_does_not_empty_the_server`, `table` |
//! | what is withheld is not withheld | `table` |
//! | a move onto a folder, or below a file that still has to go | `a_plan_followed_twice..`, the simulation, `table` |
//! | a move of empty or ambiguous content, or to an agreed name | `table` |
//! | beneath something unreadable counts as deleted | the simulation, and nearly every property |
//! | a rename back counts as deleted elsewhere | `a_change_on_a_device_that_is_up_to_date_reaches_the_server` |
//! | .. is believed while the deletions are withheld | `an_old_laptop_does_not_bring_deletions_back` |
//! | PUT, DELETE or MOVE leave the agreement alone | `a_change_right_after_following_a_plan..` |
//! | a conflict goes up, or down, unasked | the simulation, `a_conflict_is_settled..`, `table` |
//! | a resolution forgets the candidate, the choice, or what was seen | the simulation, `resolving` |

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a failed test")]

mod acting;
mod device;
mod properties;
mod random;
mod resolving;
mod server;
mod simulation;
mod sync;
mod table;
