//! Conflicts: both sides changed since they agreed, or another program's edit met a device's (design section 6). Who may
//! see one: the user of its device, and the owner of its drive.

mod candidate;
mod look;
pub mod open;
mod resolve;
mod settle;
mod view;

pub use candidate::{keep, read_candidate};
pub use look::{by_id, list};
pub use resolve::{ByPath, Resolved, Resolving, resolve, resolve_by_path};
pub(super) use view::told;
pub use view::{State, View};
