//! Everything that differs from one operating system to another, in one room. Nothing outside of it asks which one this is.

mod files;
mod machine;
mod names;
mod watch;

pub use files::{
    create_new, create_private, make_private_folder, mtime_ns, place, replace_private, set_mtime, sync_folder,
};
pub use machine::{data_folder, host_name, interrupted, search_roots, standard_output, system};
pub use names::check_local;
pub use watch::{Noticed, Watch};
